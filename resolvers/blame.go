package resolvers

import (
	"context"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"ream/fault"
)

// blame names the field in each error by which GraphQL itself rejected a
// request, as resolvers name those that they reject: "url" for the url within a
// mutation's input. What is wrong with the document as a whole is in "query".
func blame(schema *ast.Schema, op *graphql.OperationContext, errors gqlerror.List) {
	var wrong *wrongFields
	for _, e := range errors {
		if e.Extensions["code"] != string(fault.BadInput) || e.Extensions["field"] != nil {
			continue
		}
		switch {
		case op.Doc != nil && op.Operation == nil:
			e.Message = "the document has several operations, or none of that name: name one of them"
			e.Extensions["field"] = "operationName"
		case len(e.Path) > 1 && op.Operation != nil: // "variable", its name, and what is within
			e.Message = "variable $" + strings.TrimPrefix(e.Path.String(), "variable.") + ": " + e.Message
			e.Extensions["field"] = variableField(op, e.Path[1:])
			e.Path = nil
		default:
			if wrong == nil {
				wrong = findWrong(schema, op.RawQuery)
			}
			e.Extensions["field"] = wrong.at(e.Locations)
		}
	}
}

// fieldName is the name of a field within the arguments of a GraphQL field. A
// mutation has one argument that holds all others; it goes without saying.
func fieldName(path []string) string {
	if len(path) > 1 && path[0] == "input" {
		path = path[1:]
	}
	return strings.Join(path, ".")
}

// names are those in a path, without the indexes of lists.
func names(path ast.Path) []string {
	var names []string
	for _, part := range path {
		if name, ok := part.(ast.PathName); ok {
			names = append(names, string(name))
		}
	}
	return names
}

// argumentField is the field that an error within the arguments of the GraphQL
// field of ctx is about; empty if there is none.
func argumentField(ctx context.Context, path ast.Path) string {
	field := graphql.GetFieldContext(ctx)
	if field == nil {
		return ""
	}
	if of := len(field.Path()); of < len(path) {
		return fieldName(names(path[of:]))
	}
	return ""
}

// variableField is the field that takes what is at a path within a variable,
// where the operation uses the variable first.
func variableField(op *graphql.OperationContext, path ast.Path) string {
	within := names(path)
	found := within // of a variable that is not used
	visit(op.Doc, func(at []string, v *ast.Value, _ *ast.Position) bool {
		if v == nil || v.Kind != ast.Variable || v.Raw != within[0] {
			return true
		}
		found = slices.Concat(at, within[1:])
		return false
	})
	return fieldName(found)
}

// wrongFields are the fields that may be wrong in a document, by where they are
// in it. Of those that are missing there may be several in one place.
type wrongFields struct {
	given   map[gqlerror.Location]string
	missing map[gqlerror.Location][]string
}

func findWrong(schema *ast.Schema, text string) *wrongFields {
	w := &wrongFields{map[gqlerror.Location]string{}, map[gqlerror.Location][]string{}}
	document, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		return w
	}
	validator.Walk(schema, document, &validator.Events{}) // to know the types
	location := func(p *ast.Position) gqlerror.Location { return gqlerror.Location{Line: p.Line, Column: p.Column} }
	visit(document, func(at []string, v *ast.Value, position *ast.Position) bool {
		w.given[location(position)] = fieldName(at)
		if v == nil || v.Kind != ast.ObjectValue || v.Definition == nil {
			return true
		}
		for _, f := range v.Definition.Fields {
			if f.Type.NonNull && f.DefaultValue == nil && v.Children.ForName(f.Name) == nil {
				w.missing[location(position)] = append(w.missing[location(position)], fieldName(append(slices.Clone(at), f.Name)))
			}
		}
		return true
	})
	return w
}

// at is the field at the first of some locations.
func (w *wrongFields) at(locations []gqlerror.Location) string {
	if len(locations) > 0 {
		if missing := w.missing[locations[0]]; len(missing) > 0 {
			w.missing[locations[0]] = missing[1:]
			return missing[0]
		}
		if field, ok := w.given[locations[0]]; ok {
			return field
		}
	}
	return "query"
}

// visit calls f for the arguments of all fields and for what is within them,
// until it returns false. An argument that is required, but missing, is where its
// field is, and has no value.
func visit(document *ast.QueryDocument, f func(at []string, v *ast.Value, position *ast.Position) bool) {
	goOn := true
	var value func(at []string, v *ast.Value)
	value = func(at []string, v *ast.Value) {
		if goOn = goOn && f(at, v, v.Position); !goOn {
			return
		}
		for _, child := range v.Children {
			within := at
			if v.Kind == ast.ObjectValue {
				within = append(slices.Clone(at), child.Name)
				if goOn = goOn && f(within, nil, child.Position); !goOn {
					return
				}
			}
			value(within, child.Value)
		}
	}
	var selections func(ast.SelectionSet)
	selections = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				for _, a := range s.Arguments {
					value([]string{a.Name}, a.Value)
				}
				if s.Definition != nil {
					for _, a := range s.Definition.Arguments {
						if a.Type.NonNull && a.DefaultValue == nil && s.Arguments.ForName(a.Name) == nil {
							goOn = goOn && f([]string{a.Name}, nil, s.Position)
						}
					}
				}
				selections(s.SelectionSet)
			case *ast.InlineFragment:
				selections(s.SelectionSet)
			}
			if !goOn {
				return
			}
		}
	}
	for _, operation := range document.Operations {
		selections(operation.SelectionSet)
	}
	for _, fragment := range document.Fragments {
		selections(fragment.SelectionSet)
	}
}
