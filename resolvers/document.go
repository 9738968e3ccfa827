package resolvers

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"

	"ream/fault"
)

// checkDocument rejects a document that is too long or too wide, in one pass
// over its tokens: to parse it and to check it against the schema takes a time
// that grows faster than its length.
func (l *Limits) checkDocument(text string) *exceeded {
	tooMany := func(limit string, max int, what string) *exceeded {
		return over(fault.TooComplex, limit, max, fmt.Sprintf("the document has more than %d %s", max, what), "ask for less, or in several requests")
	}
	var tokens, aliases, directives, parentheses int
	reader := lexer.New(&ast.Source{Input: text})
	for {
		token, err := reader.ReadToken()
		if err != nil || token.Kind == lexer.EOF {
			return nil // the parser tells what is wrong
		}
		tokens++
		switch token.Kind {
		case lexer.ParenL:
			parentheses++
		case lexer.ParenR:
			parentheses--
		case lexer.Colon: // in parentheses it follows the name of an argument, a variable or an input's field
			if parentheses == 0 {
				aliases++
			}
		case lexer.At:
			directives++
		}
		switch {
		case l.Tokens > 0 && tokens > l.Tokens:
			return tooMany("tokens", l.Tokens, "tokens")
		case l.Aliases > 0 && aliases > l.Aliases:
			return tooMany("aliases", l.Aliases, "aliases")
		case l.Directives > 0 && directives > l.Directives:
			return tooMany("directives", l.Directives, "directives")
		}
	}
}
