package resolvers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"ream/access"
	"ream/fault"
	"ream/graph"
)

// TestEveryRootFieldSaysItsRole keeps new fields from being forgotten: nobody
// may ask for one without @role.
func TestEveryRootFieldSaysItsRole(t *testing.T) {
	t.Parallel()
	schema := NewSchema(Resolver{}).Schema()
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			needs, limited := roleOf(f)
			if !access.Admin.Includes(needs) {
				t.Errorf("%s.%s does not say with @role who may ask for it", root.Name, f.Name)
			}
			if root == schema.Mutation && needs == access.Reader {
				t.Errorf("readers may ask for the mutation %s", f.Name)
			}
			if needs == access.Admin && limited {
				t.Errorf("%s.%s is for admins, who are never limited", root.Name, f.Name)
			}
		}
	}
}

// filled is a field of a root type with arguments of their types, as it stands
// in a document.
func filled(schema *ast.Schema, f *ast.FieldDefinition) string {
	var arguments []string
	for _, a := range f.Arguments {
		if a.Type.NonNull && a.DefaultValue == nil {
			arguments = append(arguments, a.Name+": "+example(schema, a.Type))
		}
	}
	text := f.Name
	if len(arguments) > 0 {
		text += "(" + strings.Join(arguments, ", ") + ")"
	}
	if kind := schema.Types[f.Type.Name()].Kind; kind == ast.Object || kind == ast.Interface || kind == ast.Union {
		text += "{__typename}"
	}
	return text
}

func example(schema *ast.Schema, t *ast.Type) string {
	if t.Elem != nil {
		return "[" + example(schema, t.Elem) + "]"
	}
	d := schema.Types[t.NamedType]
	switch d.Kind {
	case ast.Enum:
		return d.EnumValues[0].Name
	case ast.InputObject:
		var fields []string
		for _, f := range d.Fields {
			if f.Type.NonNull && f.DefaultValue == nil {
				fields = append(fields, f.Name+": "+example(schema, f.Type))
			}
		}
		if len(fields) == 0 { // of which one is wanted
			fields = []string{d.Fields[0].Name + ": " + example(schema, d.Fields[0].Type)}
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	return map[string]string{"Boolean": "true", "Int": "1", "Time": `"2026-01-01T00:00:00Z"`}[d.Name] + map[bool]string{true: `"x"`}[d.Name == "ID" || d.Name == "String" || d.Name == "Secret"]
}

// askAs sends a request as a principal, with the newer media type.
func askAs(t *testing.T, r Resolver, p access.Principal, document string) (int, answer) {
	t.Helper()
	r.Now = time.Now
	if r.Store == nil {
		r.Store = &memory{}
	}
	h := NewHandler(r, Options{Log: slog.New(slog.DiscardHandler), Guard: openGuard{}})
	body, err := json.Marshal(map[string]any{"query": document})
	if err != nil {
		t.Fatal(err)
	}
	ctx := access.WithCaller(t.Context(), access.Caller{Principal: p})
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", bytes.NewReader(body))
	request.Header.Set("Content-Type", mediaJSON)
	request.Header.Set("Accept", mediaResponse)
	response := httptest.NewRecorder()
	h.ServeHTTP(response, request)
	text, err := io.ReadAll(response.Body)
	var a answer
	if err != nil || json.Unmarshal(text, &a) != nil {
		t.Fatalf("%s: got %s", document, text)
	}
	return response.Code, a
}

// TestRolesOfFields asks for every field of the root types as everybody. Those
// who may not are told what they need, before anything is asked of the store
// or the catalog, both of which would panic.
func TestRolesOfFields(t *testing.T) {
	t.Parallel()
	schema := NewSchema(Resolver{}).Schema()
	who := map[string]access.Principal{"nobody": {Kind: access.Nobody}, "a stranger": {}, "reader": {Role: access.Reader}, "operator": {Role: access.Operator},
		"limited reader": {Role: access.Reader, Limit: "env=prod"}, "limited operator": {Role: access.Operator, Limit: "env=prod"}}
	for kind, root := range map[string]*ast.Definition{"query": schema.Query, "mutation": schema.Mutation, "subscription": schema.Subscription} {
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			needs, limited := roleOf(f)
			for name, p := range who {
				if p.Check(needs, limited, "") == nil {
					continue
				}
				log, store := &entries{}, &memory{}
				status, a := askAs(t, Resolver{Catalog: log, Store: store}, p, kind+"{"+filled(schema, f)+"}")
				if a.code(t) != "FORBIDDEN" || status != http.StatusForbidden || a.Data != nil || store.asked != nil {
					t.Errorf("%s %s as %s: got %d %+v", kind, f.Name, name, status, a)
				} else if want := "needs the role " + string(needs); p.Role != "" && !strings.Contains(a.Errors[0].Message, want) {
					t.Errorf("%s %s as %s: got %q, want it to say that it %s", kind, f.Name, name, a.Errors[0].Message, want)
				}
				if want := map[bool]string{true: f.Name + " FORBIDDEN"}[kind == "mutation"]; strings.Join(log.lines, ", ") != want {
					t.Errorf("%s %s as %s: recorded %q, want %q", kind, f.Name, name, log.lines, want)
				}
			}
		}
	}
}

// entries is a catalog that keeps what is recorded, as text.
type entries struct {
	Catalog
	lines []string
}

func (e *entries) RecordOutcome(ctx context.Context, outcome error) error {
	code := access.Done
	if outcome != nil {
		code = string(fault.KindOf(outcome))
	}
	e.lines = append(e.lines, access.ActionOf(ctx).Operation+" "+code)
	return nil
}

func TestForbiddenFieldsHideNowhere(t *testing.T) {
	t.Parallel()
	reader := access.Principal{Role: access.Reader}
	for name, document := range map[string]string{
		"beside others":           `{queue{counts{total}} tokens{totalCount}}`,
		"under another name":      `{queue: tokens{totalCount}}`,
		"in a fragment":           `{...F} fragment F on Query{...G} fragment G on Query{tokens{totalCount}}`,
		"in an inline fragment":   `{... {... on Query{tokens{totalCount}}}}`,
		"in another operation":    `query{tokens{totalCount}}`,
		"second of two mutations": `mutation{a: sync(input: {repositories: {all: true}}){__typename} b: createToken(input: {name: "x", role: ADMIN}){secret}}`,
	} {
		if status, a := askAs(t, Resolver{Catalog: &entries{}}, reader, document); a.code(t) != "FORBIDDEN" || status != http.StatusForbidden {
			t.Errorf("%s: got %d %+v", name, status, a)
		}
	}
	operator := access.Principal{Role: access.Operator}
	log := &entries{}
	_, a := askAs(t, Resolver{Catalog: log}, operator, `mutation{sync(input: {repositories: {all: true}}){__typename} createToken(input: {name: "x", role: ADMIN}){secret} __typename}`)
	if want := "[sync FORBIDDEN createToken FORBIDDEN]"; a.code(t) != "FORBIDDEN" || fmt.Sprint(log.lines) != want {
		t.Errorf("an allowed and a forbidden mutation: got %+v, recorded %v, want %s: none of them runs", a, log.lines, want)
	}
}

func TestViewer(t *testing.T) {
	t.Parallel()
	p := access.Principal{Kind: access.ByToken, Name: "ci", Role: access.Reader, Limit: "env=prod", Until: new(time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC))}
	_, a := askAs(t, Resolver{Store: &memory{}}, p, `{viewer{kind name role labels expiresAt}}`)
	if want := `{"viewer":{"kind":"TOKEN","name":"ci","role":"READER","labels":"env=prod","expiresAt":"2027-01-02T03:04:05Z"}}`; string(a.Data) != want {
		t.Errorf("got %s %v, want %s", a.Data, a.Errors, want)
	}
}

// What a server is made of is for its operators; what clients may ask for is for
// all of them.
func TestServer(t *testing.T) {
	t.Parallel()
	database, storage, limits := graph.DatabaseKindPostgresql, graph.StorageKindS3, Limits{Cost: 7, Body: 1 << 20}
	r := Resolver{Store: &memory{}, Server: graph.Server{Version: "1.2", Database: &database, Storage: &storage, Limits: limits.Told()}}
	for role, want := range map[access.Role]string{
		access.Admin:    `{"server":{"version":"1.2","database":"POSTGRESQL","storage":"S3"}}`,
		access.Operator: `{"server":{"version":"1.2","database":null,"storage":null}}`,
		access.Reader:   `{"server":{"version":"1.2","database":null,"storage":null}}`,
	} {
		if _, a := askAs(t, r, access.Principal{Role: role}, `{server{version database storage}}`); string(a.Data) != want {
			t.Errorf("%s: got %s %v, want %s", role, a.Data, a.Errors, want)
		}
	}
	_, a := askAs(t, r, access.Principal{Role: access.Reader, Limit: "env=prod"}, `{server{limits{name value}}}`)
	for _, want := range []string{`{"name":"cost","value":"7"}`, `{"name":"body","value":"1MiB"}`, `{"name":"duration","value":"0s"}`} {
		if !strings.Contains(string(a.Data), want) {
			t.Errorf("limits: got %s %v, want %s in it", a.Data, a.Errors, want)
		}
	}
}

func TestTokensAreNodesForAdminsAlone(t *testing.T) {
	t.Parallel()
	const document = `{nodes(ids: ["token-1", "audit-1"]){__typename id}}`
	for role, want := range map[access.Role]string{
		access.Admin:    `{"nodes":[{"__typename":"Token","id":"token-1"},{"__typename":"AuditEntry","id":"audit-1"}]}`,
		access.Operator: `{"nodes":[null,null]}`,
		access.Reader:   `{"nodes":[null,null]}`,
	} {
		if _, a := askAs(t, Resolver{Store: &memory{}}, access.Principal{Role: role}, document); string(a.Data) != want {
			t.Errorf("%s: got %s %v, want %s", role, a.Data, a.Errors, want)
		}
	}
}
