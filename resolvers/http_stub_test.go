package resolvers

import (
	"context"
	"encoding/json"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// stubSchema is a schema without generated code, to test transports alone. All
// its fields but the subscriptions answer with their argument.
type stubSchema struct {
	schema *ast.Schema
	live   atomic.Int64 // subscriptions that run
}

func newStubSchema() *stubSchema {
	return &stubSchema{schema: gqlparser.MustLoadSchema(&ast.Source{Input: `
		type Query { echo(n: Int): Int }
		type Mutation { change(n: Int): Int }
		type Subscription {
			"Counts to n, then ends."
			count(n: Int!): Int
			"Never says anything."
			silence: Int
			"Never stops, with long frames."
			flood: String
		}`})}
}

func (s *stubSchema) Schema() *ast.Schema { return s.schema }

func (s *stubSchema) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 0, false
}

func (s *stubSchema) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	field := op.Operation.SelectionSet[0].(*ast.Field)
	arguments := field.ArgumentMap(op.Variables)
	answer := func(value any) *graphql.Response {
		data, err := json.Marshal(map[string]any{field.Alias: value})
		if err != nil {
			panic(err)
		}
		return &graphql.Response{Data: data}
	}
	if op.Operation.Operation != ast.Subscription {
		if field.Name == "__typename" {
			return graphql.OneShot(answer(field.ObjectDefinition.Name))
		}
		return graphql.OneShot(answer(arguments["n"]))
	}
	s.live.Add(1)
	context.AfterFunc(ctx, func() { s.live.Add(-1) })
	sent := int64(0)
	return func(context.Context) *graphql.Response {
		n, _ := arguments["n"].(int64)
		switch {
		case field.Name == "silence":
			<-ctx.Done()
			return nil
		case field.Name == "flood":
			return answer(string(make([]byte, 64<<10)))
		case sent == n:
			return nil
		}
		sent++
		return answer(sent)
	}
}

// stubServer serves the stub with transports. Stop ends what it does as the
// end of the process would.
type stubServer struct {
	*httptest.Server
	*stubSchema
	stop context.CancelFunc
}

func newStubServer(t *testing.T, transports ...graphql.Transport) *stubServer {
	t.Helper()
	schema := newStubSchema()
	server := handler.New(schema)
	for _, transport := range transports {
		server.AddTransport(transport)
	}
	ctx, stop := context.WithCancel(context.Background())
	h := httptest.NewUnstartedServer(server)
	h.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	h.Start()
	t.Cleanup(func() {
		stop()
		h.Close()
	})
	return &stubServer{h, schema, stop}
}
