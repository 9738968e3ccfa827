package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"ream/graph"
)

// NewSchema returns the schema with its resolvers.
func NewSchema(r Resolver) graphql.ExecutableSchema {
	return graph.NewExecutableSchema(graph.Config{Resolvers: &r})
}

// newServer returns a server without transports. What is around operations is
// told of each, also of the frames of subscriptions that are shared.
func newServer(r Resolver, o Options, around ...graphql.OperationMiddleware) *handler.Server {
	schema := NewSchema(r)
	s := handler.New(schema)
	cache := queryCache{lru.New[*ast.QueryDocument](cachedQueries)}
	present := presenter(o.Log)
	audit := auditor{r.Catalog, schema.Schema().Types, o.Log}
	s.SetErrorPresenter(present)
	s.SetRecoverFunc(recovered(present))
	s.SetParserTokenLimit(o.Limits.Tokens)
	s.SetQueryCache(cache)
	s.SetDisableSuggestion(o.HideSchema)
	s.SetValidationRulesFn(func() *rules.Rules { return newRules(!o.HideSchema) })
	if !o.HideSchema {
		s.Use(extension.Introspection{})
	}
	s.Use(&persisted{o.Documents, o.OnlyDocuments, newTextCache(o.Limits.Persisted)})
	s.Use(newGuard(o.Limits, schema.Schema(), cache, present))
	s.Use(roles{audit.refused})
	for _, f := range around {
		s.AroundOperations(f)
	}
	s.AroundOperations(newSharing().around)
	s.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		return next(withLoaders(ctx, r.store(ctx)))
	})
	s.AroundRootFields(func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
		if graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
			ctx = withLoaders(ctx, r.store(ctx)) // what the field before read may have changed
			return audit.recorded(ctx, graphql.GetOperationContext(ctx), next)
		}
		return next(ctx)
	})
	return s
}

// The bounds of the cache of parsed queries.
const (
	cachedQueries    = 200
	cachedQueryBytes = 16 << 10
)

// queryCache remembers parsed queries, without the long ones: memory must not
// grow with what clients send.
type queryCache struct {
	graphql.Cache[*ast.QueryDocument]
}

// Add remembers a query if it is short.
func (c queryCache) Add(ctx context.Context, query string, document *ast.QueryDocument) {
	if len(query) <= cachedQueryBytes {
		c.Cache.Add(ctx, query, document)
	}
}
