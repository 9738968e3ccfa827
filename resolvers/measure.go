package resolvers

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"ream/fault"
	"ream/page"
)

// checkOperation rejects an operation that is too deep, too wide or too costly.
// Introspection is not counted: it reads nothing, and GraphQL's own rules bound it.
func (l *Limits) checkOperation(operation *ast.OperationDefinition, variables map[string]any) error {
	w := walk{variables: variables, fragments: map[string]measure{}}
	m := w.measure(operation.SelectionSet)
	switch {
	case w.deferred:
		return fault.Input("query", "@defer is not supported: leave it out")
	case l.RootFields > 0 && m.fields > l.RootFields:
		return over(fault.TooComplex, "root-fields", l.RootFields, fmt.Sprintf("the operation has %d root fields", m.fields), "ask for less, or in several requests")
	case l.Depth > 0 && m.depth > l.Depth:
		return over(fault.TooComplex, "depth", l.Depth, fmt.Sprintf("the operation is %d levels deep", m.depth), "ask for what lies deeper by its id, in another request")
	case l.Cost > 0 && m.cost > l.Cost:
		return over(fault.TooComplex, "cost", l.Cost, fmt.Sprintf("the operation may cost up to %d", m.cost), "ask for smaller pages, or for less of each item")
	}
	return nil
}

// measure is what a selection asks for.
type measure struct {
	fields int // directly selected
	depth  int
	cost   int
	each   int // what it costs besides for each item of the page that it is of
}

// most is where measures end, long before they overflow.
const most = 1 << 32

// walk measures an operation. Each fragment is measured once, however often
// it is spread.
type walk struct {
	variables map[string]any
	fragments map[string]measure
	deferred  bool
}

func (w *walk) measure(selections ast.SelectionSet) measure {
	var sum measure
	for _, s := range selections {
		var m measure
		switch s := s.(type) {
		case *ast.Field:
			m = w.field(s)
		case *ast.InlineFragment:
			w.deferred = w.deferred || s.Directives.ForName("defer") != nil
			m = w.measure(s.SelectionSet)
		case *ast.FragmentSpread:
			w.deferred = w.deferred || s.Directives.ForName("defer") != nil
			var known bool
			if m, known = w.fragments[s.Name]; !known {
				m = w.measure(s.Definition.SelectionSet)
				w.fragments[s.Name] = m
			}
		}
		sum.fields = min(sum.fields+m.fields, most)
		sum.depth = max(sum.depth, m.depth)
		sum.cost = min(sum.cost+m.cost, most)
		sum.each = min(sum.each+m.each, most)
	}
	return sum
}

func (w *walk) field(f *ast.Field) measure {
	if strings.HasPrefix(f.Name, "__") {
		return measure{fields: 1, depth: 1}
	}
	inner, price := w.measure(f.SelectionSet), priceOf(f)
	m := measure{fields: 1, depth: inner.depth + 1}
	switch size := w.size(f, price.items); {
	case isConnection(f.Definition.Type.Name()):
		m.cost = min(price.own+inner.cost+inner.each*size, most)
	case isConnection(f.ObjectDefinition.Name) && (f.Name == "nodes" || f.Name == "edges"):
		m.each = min(price.own+inner.cost, most)
	default:
		m.cost = min(price.own+inner.cost*size, most)
	}
	return m
}

// isConnection reports whether a type is a page, of which it has the nodes or
// edges once for each item.
func isConnection(name string) bool { return strings.HasSuffix(name, "Connection") }

// size is how many items a field may return, and usual if nothing tells.
func (w *walk) size(f *ast.Field, usual int) int {
	if len(f.Definition.Arguments) == 0 {
		return usual
	}
	arguments := f.ArgumentMap(w.variables)
	if ids, ok := arguments["ids"].([]any); ok {
		return max(len(ids), 1)
	}
	if f.Definition.Arguments.ForName("first") == nil {
		return usual
	}
	for _, name := range []string{"first", "last"} {
		switch n := arguments[name].(type) {
		case nil:
		case int64: // from a literal
			return within(n)
		case json.Number: // from a variable
			i, err := n.Int64()
			if err != nil {
				return page.Limit // the argument itself is rejected later
			}
			return within(i)
		default:
			return page.Limit
		}
	}
	return page.DefaultSize
}

// within is a page's size, or the nearest size that a page can have.
func within(n int64) int { return int(min(max(n, 1), page.Limit)) }
