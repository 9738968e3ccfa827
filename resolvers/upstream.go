package resolvers

import (
	"context"

	"ream/catalog"
	"ream/content"
	"ream/graph"
)

func (r *mutationResolver) ProbeUpstream(ctx context.Context, input graph.ProbeUpstreamInput) (*content.Upstream, error) {
	return r.Catalog.Probe(ctx, catalog.ProbeRequest{
		URL:       input.URL,
		Username:  value(input.Username),
		Password:  value(input.Password),
		Token:     value(input.Token),
		CACert:    value(input.CaCert),
		VerifyTLS: input.VerifyTLS,
	})
}
