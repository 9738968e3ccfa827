package resolvers

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/fault"
	"ream/page"
)

// What one request may ask for.
const (
	maxTokens     = 1000
	maxDepth      = 15
	maxRootFields = 20
	maxCost       = 10_000
)

// limits rejects operations that are too deep, too wide or too costly before
// they run. Only things with fields of their own cost something, times the
// sizes of the pages that they are in. Introspection is not counted: it
// reads nothing, and GraphQL's own rules bound it.
type limits struct{}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = limits{}

// ExtensionName names the extension.
func (limits) ExtensionName() string { return "Limits" }

// Validate accepts any schema.
func (limits) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext rejects the operation if it asks for too much. It
// changes nothing.
func (limits) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	w := walk{variables: op.Variables, fragments: map[string]measure{}}
	m := w.measure(op.Operation.SelectionSet)
	switch {
	case w.deferred:
		return reject(fault.Input("query", "@defer is not supported: leave it out"))
	case m.fields > maxRootFields:
		return reject(fault.New(fault.TooComplex, "the request has %d root fields: at most %d are allowed", m.fields, maxRootFields))
	case m.depth > maxDepth:
		return reject(fault.New(fault.TooComplex, "the request is %d levels deep: at most %d are allowed", m.depth, maxDepth))
	case m.cost > maxCost:
		return reject(fault.New(fault.TooComplex, "the request may return more than %d objects: ask for smaller pages", maxCost))
	}
	return nil
}

// measure is what a selection asks for.
type measure struct {
	fields int // directly selected
	depth  int
	cost   int // objects; anything above maxCost is cut off there
}

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
		sum.fields = min(sum.fields+m.fields, 1_000_000)
		sum.depth = max(sum.depth, m.depth)
		sum.cost = min(sum.cost+m.cost, maxCost+1)
	}
	return sum
}

func (w *walk) field(f *ast.Field) measure {
	if strings.HasPrefix(f.Name, "__") || len(f.SelectionSet) == 0 {
		return measure{fields: 1, depth: 1}
	}
	inner := w.measure(f.SelectionSet)
	return measure{
		fields: 1,
		depth:  inner.depth + 1,
		cost:   min(1+inner.cost*w.size(f), maxCost+1),
	}
}

// size is how many items a field may return.
func (w *walk) size(f *ast.Field) int {
	if f.Definition == nil {
		return 1
	}
	arguments := f.ArgumentMap(w.variables)
	if ids, ok := arguments["ids"].([]any); ok {
		return max(len(ids), 1)
	}
	if f.Definition.Arguments.ForName("first") == nil {
		return 1
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
