package resolvers

import (
	"context"

	"ream/access"
	"ream/catalog"
	"ream/graph"
	"ream/page"
)

func (r *auditEntryResolver) Token(ctx context.Context, obj *access.Entry) (*access.Token, error) {
	return reference(ctx, tokensByID, obj.TokenID)
}

func (r *auditEntryResolver) Arguments(ctx context.Context, obj *access.Entry) (string, error) {
	return string(obj.Arguments), nil
}

func (r *mutationResolver) CreateToken(ctx context.Context, input graph.CreateTokenInput) (*graph.CreatedToken, error) {
	token, secret, err := r.Catalog.CreateToken(ctx, catalog.TokenInput{
		Name:      input.Name,
		Role:      input.Role,
		Labels:    value(input.Labels),
		ExpiresAt: input.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	return &graph.CreatedToken{Token: token, Secret: secret}, nil
}

func (r *mutationResolver) RevokeToken(ctx context.Context, id string) (*access.Token, error) {
	key, err := knownID[access.TokenID]("token", id)
	if err != nil {
		return nil, err
	}
	return r.Catalog.RevokeToken(ctx, key)
}

func (r *principalResolver) Labels(ctx context.Context, obj *access.Principal) (*string, error) {
	return optional(string(obj.Limit)), nil
}

func (r *queryResolver) Viewer(ctx context.Context) (*access.Principal, error) {
	return new(access.CallerOf(ctx).Principal), nil
}

func (r *queryResolver) Token(ctx context.Context, id *string, name *string) (*access.Token, error) {
	if err := either(id, name, "name"); err != nil {
		return nil, err
	}
	if id != nil {
		return find(ctx, tokensByID, "token", *id)
	}
	return absentIsNull(r.store(ctx).TokenByName(ctx, *name))
}

func (r *queryResolver) Tokens(ctx context.Context, active *bool, first *int32, after *string, last *int32, before *string) (*graph.Connection[*access.Token], error) {
	read := func(ctx context.Context, p page.Request) (*page.Of[*access.Token], error) {
		return r.store(ctx).Tokens(ctx, access.TokenFilter{Active: value(active)}, p)
	}
	return list(ctx, read, first, after, last, before)
}

func (r *queryResolver) AuditEntries(ctx context.Context, filter *graph.AuditFilter, first *int32, after *string, last *int32, before *string) (*graph.Connection[*access.Entry], error) {
	var f access.EntryFilter
	if filter != nil {
		f = access.EntryFilter{Name: value(filter.Name), Operation: value(filter.Operation), Failed: value(filter.Failed),
			Since: value(filter.Since), Until: value(filter.Until)}
	}
	read := func(ctx context.Context, p page.Request) (*page.Of[*access.Entry], error) {
		return r.store(ctx).Entries(ctx, f, p)
	}
	return list(ctx, read, first, after, last, before)
}

func (r *tokenResolver) Labels(ctx context.Context, obj *access.Token) (*string, error) {
	return optional(string(obj.Limit)), nil
}

func (r *tokenResolver) State(ctx context.Context, obj *access.Token) (access.TokenState, error) {
	return obj.State(r.Now()), nil
}

func (r *Resolver) AuditEntry() graph.AuditEntryResolver { return &auditEntryResolver{r} }

func (r *Resolver) Principal() graph.PrincipalResolver { return &principalResolver{r} }

func (r *Resolver) Token() graph.TokenResolver { return &tokenResolver{r} }

type (
	auditEntryResolver struct{ *Resolver }
	principalResolver  struct{ *Resolver }
	tokenResolver      struct{ *Resolver }
)
