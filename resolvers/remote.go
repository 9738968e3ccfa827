package resolvers

import (
	"context"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/graph"
)

func (r *mutationResolver) CreateRemote(ctx context.Context, input graph.CreateRemoteInput) (*content.Remote, error) {
	return r.Catalog.CreateRemote(ctx, catalog.RemoteInput{
		Name:              input.Name,
		URL:               input.URL,
		Policy:            input.Policy,
		Username:          value(input.Username),
		Password:          value(input.Password),
		Token:             value(input.Token),
		Headers:           headers(input.Headers),
		CACert:            value(input.CaCert),
		ClientCert:        value(input.ClientCert),
		ClientKey:         value(input.ClientKey),
		VerifyTLS:         input.VerifyTLS,
		ProxyURL:          value(input.ProxyURL),
		ProxyUsername:     value(input.ProxyUsername),
		ProxyPassword:     value(input.ProxyPassword),
		InsecureRedirects: input.InsecureRedirects,
		Connections:       int(input.Connections),
		BytesPerSecond:    input.BytesPerSecond,
		StallTimeout:      seconds(input.StallTimeout),
		TotalTimeout:      seconds(input.TotalTimeout),
		Retries:           int(input.Retries),
	})
}

func (r *mutationResolver) UpdateRemote(ctx context.Context, input graph.UpdateRemoteInput) (*content.Remote, error) {
	id, err := knownID[content.RemoteID]("remote", input.ID)
	if err != nil {
		return nil, err
	}
	change := catalog.RemoteChange{
		Name:              input.Name,
		URL:               input.URL,
		Policy:            input.Policy,
		Username:          input.Username,
		Password:          input.Password,
		Token:             input.Token,
		CACert:            input.CaCert,
		ClientCert:        input.ClientCert,
		ClientKey:         input.ClientKey,
		VerifyTLS:         input.VerifyTLS,
		ProxyURL:          input.ProxyURL,
		ProxyUsername:     input.ProxyUsername,
		ProxyPassword:     input.ProxyPassword,
		InsecureRedirects: input.InsecureRedirects,
		Connections:       number(input.Connections),
		BytesPerSecond:    input.BytesPerSecond,
		StallTimeout:      optionalSeconds(input.StallTimeout),
		TotalTimeout:      optionalSeconds(input.TotalTimeout),
		Retries:           number(input.Retries),
	}
	if input.Headers != nil {
		change.Headers = new(headers(input.Headers))
	}
	return r.Catalog.UpdateRemote(ctx, id, change)
}

func (r *mutationResolver) DeleteRemote(ctx context.Context, id string) (*content.Remote, error) {
	key, err := knownID[content.RemoteID]("remote", id)
	if err != nil {
		return nil, err
	}
	return r.Catalog.DeleteRemote(ctx, key)
}

func (r *queryResolver) Remote(ctx context.Context, id *string, name *string) (*content.Remote, error) {
	if err := either(id, name, "name"); err != nil {
		return nil, err
	}
	if id != nil {
		return find(ctx, remotesByID, "remote", *id)
	}
	return absentIsNull(r.store(ctx).RemoteByName(ctx, *name))
}

func (r *queryResolver) Remotes(ctx context.Context, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Remote], error) {
	return list(ctx, r.store(ctx).Remotes, first, after, last, before)
}

func (r *remoteResolver) StallTimeout(ctx context.Context, obj *content.Remote) (int32, error) {
	return int32(obj.StallTimeout / time.Second), nil
}

func (r *remoteResolver) TotalTimeout(ctx context.Context, obj *content.Remote) (int32, error) {
	return int32(obj.TotalTimeout / time.Second), nil
}

func (r *Resolver) Remote() graph.RemoteResolver { return &remoteResolver{r} }

type remoteResolver struct{ *Resolver }
