package resolvers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"ream/access"
)

func TestWhatIsKeptOfArguments(t *testing.T) {
	t.Parallel()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: `
		scalar Secret
		type Query { a: Int }
		type Mutation { do(text: String, secret: Secret, secrets: [Secret!], in: In, many: [In!], n: Int, yes: Boolean, kind: Kind): Int }
		input In { name: String  password: Secret  more: In  list: [String!] }
		enum Kind { ONE }`})
	if err != nil {
		t.Fatal(err)
	}
	token := access.NewSecret()
	long := strings.Repeat("ä", 1000)
	numbers := `"` + strings.Repeat(`1", "`, 29) + `1"`
	tests := []struct {
		name, arguments, want string
		variables             map[string]any
	}{
		{"values", `text: "a", n: 3, yes: true, kind: ONE`, `{"kind":"ONE","n":3,"text":"a","yes":true}`, nil},
		{"nulls and what is left out", `text: null, in: {}`, `{"in":{},"text":null}`, nil},
		{"secret", `secret: "hush"`, `{"secret":"[secret]"}`, nil},
		{"secret that is none", `secret: 7`, `{"secret":"[secret]"}`, nil},
		{"no secret", `secret: null`, `{"secret":null}`, nil},
		{"secrets", `secrets: ["hush", "hush"]`, `{"secrets":["[secret]","[secret]"]}`, nil},
		{"one for a list", `secrets: "hush"`, `{"secrets":"[secret]"}`, nil},
		{"secret inside", `in: {name: "n", password: "hush", more: {password: "hush", name: "m"}}`,
			`{"in":{"more":{"name":"m","password":"[secret]"},"name":"n","password":"[secret]"}}`, nil},
		{"secrets in a list", `many: [{password: "hush"}, {name: "n"}]`, `{"many":[{"password":"[secret]"},{"name":"n"}]}`, nil},
		{"variables", `in: $in, secret: $s`, `{"in":{"name":"n","password":"[secret]"},"secret":"[secret]"}`,
			map[string]any{"in": map[string]any{"name": "n", "password": "hush"}, "s": "hush"}},
		{"token where it does not belong", `text: "x ` + token + ` y"`, `{"text":"x ream_… y"}`, nil},
		{"part of a token", `text: "` + token[:30] + `"`, `{"text":"ream_…"}`, nil},
		{"password in a URL", `text: "https://me:hush@example.org/a@b"`, `{"text":"https://…@example.org/a@b"}`, nil},
		{"user in a URL", `in: {name: "http://hush@example.org"}`, `{"in":{"name":"http://…@example.org"}}`, nil},
		{"long text", `text: "` + long + `"`, `{"text":"` + strings.Repeat("ä", 200) + `…"}`, nil},
		{"long list", `in: {list: [` + numbers + `]}`, `{"in":{"list":[` + strings.TrimSuffix(strings.Repeat(`"1",`, 20), ",") + `,"… and 10 more"]}}`, nil},
		{"too much", `many: [` + strings.Repeat(`{list: [`+strings.Repeat(`"`+long[:200]+`" `, 20)+`]} `, 20) + `]`, `{"…":"not kept"}`, nil},
	}
	for _, tt := range tests {
		document, errs := gqlparser.LoadQueryWithRules(schema, `mutation($in: In, $s: Secret) { do(`+tt.arguments+`) used: do(in: $in, secret: $s) }`, nil)
		if errs != nil {
			t.Fatalf("%s: %v", tt.name, errs)
		}
		f := document.Operations[0].SelectionSet[0].(*ast.Field)
		a := auditor{types: schema.Types}.actionOf(f, &graphql.OperationContext{Variables: tt.variables})
		if got := string(a.Arguments); got != tt.want || a.Operation != "do" || !json.Valid(a.Arguments) {
			t.Errorf("%s: got %s of %s, want %s", tt.name, got, a.Operation, tt.want)
		}
		if strings.Contains(string(a.Arguments), "hush") {
			t.Errorf("%s: a secret is kept", tt.name)
		}
	}
}

// TestMutationsAreRecorded tells what is recorded of mutations that change
// nothing: what changes something records itself.
func TestMutationsAreRecorded(t *testing.T) {
	t.Parallel()
	admin := access.Principal{Role: access.Admin}
	for name, tt := range map[string]struct{ document, want string }{
		"bad input":          {`mutation{publish(input: {repositories: {all: true}, version: 0}){__typename}}`, "[publish BAD_INPUT]"},
		"unknown":            {`mutation{cancel(id: "x"){__typename}}`, "[cancel NOT_FOUND]"},
		"a defect":           {`mutation{deleteRemote(id: "remote-1"){id}}`, "[deleteRemote INTERNAL]"},
		"two, one by one":    {`mutation{a: cancel(id: "x"){__typename} b: retry(id: "x"){__typename}}`, "[cancel NOT_FOUND retry NOT_FOUND]"},
		"a bad argument":     {`mutation{createToken(input: {name: "x", role: READER, expiresAt: "tomorrow"}){secret}}`, "[createToken BAD_INPUT]"},
		"what is no request": {`mutation{nothing}`, "[]"},
		"no mutation":        {`{queue{counts{total}}}`, "[]"},
	} {
		log := &entries{}
		askAs(t, Resolver{Store: &memory{}, Catalog: log}, admin, tt.document)
		if got := fmt.Sprint(log.lines); got != tt.want {
			t.Errorf("%s: recorded %s, want %s", name, got, tt.want)
		}
	}
}

// broken is a catalog whose log cannot be written.
type broken struct{ entries }

func (b *broken) RecordOutcome(context.Context, error) error { return errors.New("the disk is full") }

func TestWhatIsNotRecordedIsLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r := Resolver{Catalog: &broken{}, Store: &memory{}, Now: time.Now}
	a := auditor{r.Catalog, nil, slog.New(slog.NewTextHandler(&log, nil))}
	a.record(access.WithAction(t.Context(), &access.Action{Operation: "sync"}), nil)
	if !strings.Contains(log.String(), "operation=sync") || !strings.Contains(log.String(), "the disk is full") {
		t.Errorf("log: got %q", log.String())
	}
}
