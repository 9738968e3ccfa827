package resolvers

import (
	"context"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"ream/access"
	"ream/fault"
)

// auditor sees to it that the audit log has every mutation.
type auditor struct {
	catalog Recorder
	types   map[string]*ast.Definition // of the schema
	log     *slog.Logger
}

// recorded makes sure that the audit log has an entry of a mutation's field,
// whatever becomes of it. What changes something writes its own, in the same
// transaction.
func (a auditor) recorded(ctx context.Context, op *graphql.OperationContext, next graphql.RootResolver) graphql.Marshaler {
	f := graphql.GetRootFieldContext(ctx).Field.Field
	if isIntrospection(f) {
		return next(ctx)
	}
	ctx = access.WithAction(ctx, a.actionOf(f, op))
	before := len(graphql.GetErrors(ctx))
	answer := next(ctx)
	var outcome error
	if errs := graphql.GetErrors(ctx); len(errs) > before {
		outcome = fault.New(errorKind(errs[before]), "%s", errs[before].Message)
	}
	a.record(ctx, outcome)
	return answer
}

// refused records a mutation that was rejected before it ran.
func (a auditor) refused(ctx context.Context, f *ast.Field, op *graphql.OperationContext, err error) {
	a.record(access.WithAction(ctx, a.actionOf(f, op)), err)
}

func (a auditor) record(ctx context.Context, outcome error) {
	if err := a.catalog.RecordOutcome(context.WithoutCancel(ctx), outcome); err != nil {
		a.log.ErrorContext(ctx, "a mutation is not in the audit log", "operation", access.ActionOf(ctx).Operation, "outcome", fault.KindOf(outcome), "error", err)
	}
}

func (a auditor) actionOf(f *ast.Field, op *graphql.OperationContext) *access.Action {
	return access.NewAction(f.Name, withoutSecrets(f, op.Variables, a.types))
}

// secretType is the scalar of what nobody may see.
const secretType = "Secret"

// withoutSecrets are a field's arguments without what nobody may see.
func withoutSecrets(f *ast.Field, variables map[string]any, types map[string]*ast.Definition) map[string]any {
	values := f.ArgumentMap(variables)
	out := make(map[string]any, len(values))
	for _, a := range f.Definition.Arguments {
		if v, given := values[a.Name]; given {
			out[a.Name] = withoutSecret(v, a.Type, types)
		}
	}
	return out
}

func withoutSecret(v any, t *ast.Type, types map[string]*ast.Definition) any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		of := t
		if t.Elem != nil {
			of = t.Elem
		}
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = withoutSecret(item, of, types)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		definition := types[t.Name()]
		for name, item := range v {
			if f := definition.Fields.ForName(name); f != nil {
				out[name] = withoutSecret(item, f.Type, types)
			}
		}
		return out
	}
	if t.Name() == secretType {
		return "[secret]"
	}
	return v
}
