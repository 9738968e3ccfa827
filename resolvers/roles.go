package resolvers

import (
	"context"
	"errors"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/access"
	"ream/fault"
)

// roles rejects operations before they run if the caller has not the role that
// one of their fields needs: the schema's @role says which. A field of a root
// type without @role is allowed nobody.
type roles struct {
	// refused is told of mutations that are rejected.
	refused func(ctx context.Context, f *ast.Field, op *graphql.OperationContext, err error)
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = roles{}

// ExtensionName names the extension.
func (roles) ExtensionName() string { return "Roles" }

// Validate accepts any schema.
func (roles) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext rejects the operation if the caller may not ask for
// all of it. It changes nothing.
func (x roles) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	fields := rootFields(op.Operation.SelectionSet, map[string]bool{})
	caller := access.CallerOf(ctx)
	err := caller.Check(access.Reader, true, "every request")
	for _, f := range fields {
		if err == nil {
			needs, limited := roleOf(f.Definition)
			err = caller.Check(needs, limited, f.Name)
		}
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return nil
	}
	if op.Operation.Operation == ast.Mutation {
		for _, field := range fields {
			x.refused(ctx, field, op, err)
		}
	}
	return reject(f)
}

// rootFields are an operation's fields of the root type, but for introspection.
func rootFields(selections ast.SelectionSet, seen map[string]bool) (fields []*ast.Field) {
	for _, s := range selections {
		switch s := s.(type) {
		case *ast.Field:
			if !isIntrospection(s) {
				fields = append(fields, s)
			}
		case *ast.InlineFragment:
			fields = append(fields, rootFields(s.SelectionSet, seen)...)
		case *ast.FragmentSpread:
			if !seen[s.Name] {
				seen[s.Name] = true
				fields = append(fields, rootFields(s.Definition.SelectionSet, seen)...)
			}
		}
	}
	return fields
}

// isIntrospection reports whether a field tells of the schema alone.
func isIntrospection(f *ast.Field) bool { return strings.HasPrefix(f.Name, "__") }

// roleOf is which role a field needs, and whether those will do who are limited
// to some repositories. The zero role, which nobody has, is that of a field that
// does not say.
func roleOf(f *ast.FieldDefinition) (needs access.Role, limited bool) {
	d := f.Directives.ForName("role")
	if d == nil {
		return "", false
	}
	arguments := d.ArgumentMap(nil)
	role, _ := arguments["needs"].(string)
	limited, _ = arguments["limited"].(bool)
	return access.Role(role), limited
}
