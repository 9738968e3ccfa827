package graph_test

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"

	"ream/graph"
)

var update = flag.Bool("update", false, "rewrite the golden schema")

const golden = "schema.golden.graphqls"

func schema() *ast.Schema { return graph.NewExecutableSchema(graph.Config{}).Schema() }

func TestSchemaOnlyGrows(t *testing.T) {
	t.Parallel()
	if *update {
		var text bytes.Buffer
		formatter.NewFormatter(&text).FormatSchema(schema())
		if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range breaking(load(t, string(text)), schema()) {
		t.Errorf("clients of the last release break: %s", change)
	}
}

func load(t *testing.T, text string) *ast.Schema {
	t.Helper()
	s, err := gqlparser.LoadSchema(&ast.Source{Name: "schema", Input: text})
	if err != nil {
		t.Fatalf("load schema: %v", err)
	}
	return s
}

// breaking names the changes from one schema to a later one that clients of
// the former can notice.
func breaking(old, later *ast.Schema) (changes []string) {
	change := func(parts ...string) { changes = append(changes, strings.Join(parts, "")) }
	for name, was := range old.Types {
		is := later.Types[name]
		if is == nil {
			change("type ", name, " is gone")
			continue
		}
		if is.Kind != was.Kind {
			change("type ", name, " is no longer ", string(was.Kind))
			continue
		}
		for _, v := range was.EnumValues {
			if is.EnumValues.ForName(v.Name) == nil {
				change("enum value ", name, ".", v.Name, " is gone")
			}
		}
		for _, member := range append(slices.Clone(was.Types), was.Interfaces...) {
			if !slices.Contains(is.Types, member) && !slices.Contains(is.Interfaces, member) {
				change(name, " no longer goes with ", member)
			}
		}
		for _, f := range was.Fields {
			g := is.Fields.ForName(f.Name)
			if g == nil {
				change("field ", name, ".", f.Name, " is gone")
				continue
			}
			if !replaceable(f.Type, g.Type, is.Kind == ast.InputObject) {
				change("field ", name, ".", f.Name, " was ", f.Type.String(), " and is ", g.Type.String())
			}
			for _, a := range f.Arguments {
				switch b := g.Arguments.ForName(a.Name); {
				case b == nil:
					change("argument ", name, ".", f.Name, "(", a.Name, ":) is gone")
				case !replaceable(a.Type, b.Type, true):
					change("argument ", name, ".", f.Name, "(", a.Name, ":) was ", a.Type.String(), " and is ", b.Type.String())
				}
			}
			for _, b := range g.Arguments {
				if f.Arguments.ForName(b.Name) == nil && b.Type.NonNull && b.DefaultValue == nil {
					change("argument ", name, ".", f.Name, "(", b.Name, ":) is new and required")
				}
			}
		}
		for _, g := range is.Fields {
			if is.Kind == ast.InputObject && was.Fields.ForName(g.Name) == nil && g.Type.NonNull && g.DefaultValue == nil {
				change("input field ", name, ".", g.Name, " is new and required")
			}
		}
	}
	slices.Sort(changes)
	return changes
}

// replaceable reports whether a type may take another's place: an input may
// stop being required, an output may start to be never null.
func replaceable(was, is *ast.Type, input bool) bool {
	if was.NonNull != is.NonNull && is.NonNull == input {
		return false
	}
	if was.Elem == nil || is.Elem == nil {
		return was.Elem == is.Elem && was.NamedType == is.NamedType
	}
	return replaceable(was.Elem, is.Elem, input)
}

func TestBreaking(t *testing.T) {
	t.Parallel()
	const old = `type Query { a(x: Int): E  b(i: I): U! } enum E { ONE TWO } input I { x: Int! } union U = V | W type V { a: [Int!] } type W { a: Int }`
	tests := []struct{ name, from, to, want string }{
		{"nothing", "", "", ""},
		{"new optional argument", "a(x: Int)", "a(x: Int, y: Int, z: Int! = 1)", ""},
		{"output becomes non-null", "): E", "): E!", ""},
		{"input becomes nullable", "x: Int!", "x: Int", ""},
		{"new enum value", "ONE TWO", "ONE TWO THREE", ""},
		{"field gone", "a(x: Int): E", "c: E", "field Query.a is gone"},
		{"field's type", "[Int!]", "[String!]", "field V.a was [Int!] and is [String!]"},
		{"item becomes nullable", "[Int!]", "[Int]", "field V.a was [Int!] and is [Int]"},
		{"list becomes single", "[Int!]", "Int", "field V.a was [Int!] and is Int"},
		{"output becomes nullable", "U!", "U", "field Query.b was U! and is U"},
		{"argument gone", "a(x: Int)", "a", "argument Query.a(x:) is gone"},
		{"argument becomes required", "a(x: Int)", "a(x: Int!)", "argument Query.a(x:) was Int and is Int!"},
		{"new required argument", "a(x: Int)", "a(x: Int, y: Int!)", "argument Query.a(y:) is new and required"},
		{"new required input field", "x: Int!", "x: Int! y: Int!", "input field I.y is new and required"},
		{"enum value gone", "ONE TWO", "ONE", "enum value E.TWO is gone"},
		{"member gone", "V | W", "V", "U no longer goes with W"},
		{"type gone", "type W { a: Int }", "", "type W is gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(old, tt.from, tt.to, 1)
			if tt.name == "type gone" {
				changed = strings.Replace(changed, "V | W", "V", 1)
			}
			got := breaking(load(t, old), load(t, changed))
			if tt.want == "" && len(got) > 0 || tt.want != "" && !slices.Contains(got, tt.want) {
				t.Errorf("breaking changes: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSchemaDescribesEverything(t *testing.T) {
	t.Parallel()
	described := func(description string, names ...string) {
		t.Helper()
		if problem := wanting(description, names...); problem != "" {
			t.Errorf("%s: %q %s", strings.Join(names, "."), description, problem)
		}
	}
	arguments := func(all ast.ArgumentDefinitionList, names ...string) {
		t.Helper()
		for _, a := range all {
			described(a.Description, append(slices.Clone(names), a.Name)...)
		}
	}
	s := schema()
	for name, d := range s.Directives {
		if d.Position.Src.BuiltIn {
			continue
		}
		described(d.Description, name)
		arguments(d.Arguments, name)
	}
	for name, d := range s.Types {
		if d.BuiltIn {
			continue
		}
		described(d.Description, name)
		for _, v := range d.EnumValues {
			described(v.Description, name, v.Name)
		}
		for _, f := range d.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			described(f.Description, name, f.Name)
			arguments(f.Arguments, name, f.Name)
		}
	}
}

// empty holds words that say nothing by themselves.
const empty = "a an and are as at be by for from has have if in is it its of on one or that the their these they this to was what which whose with id name value type"

// wanting tells what is wrong with a description of what names lead to: it must
// be a sentence, and say something that the names do not.
func wanting(description string, names ...string) string {
	if !strings.HasSuffix(description, ".") {
		return "is no sentence"
	}
	known := words(empty + " " + strings.Join(names, " "))
	for _, word := range words(description) {
		if !slices.Contains(known, word) {
			return ""
		}
	}
	return "says no more than the name"
}

// words are the words of names and sentences, in lower case and without an s
// at their end.
func words(text string) (all []string) {
	word := regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+|[0-9]+`)
	for _, w := range word.FindAllString(text, -1) {
		all = append(all, strings.TrimSuffix(strings.ToLower(w), "s"))
	}
	return all
}

func TestWanting(t *testing.T) {
	t.Parallel()
	const nothing, sentence = "says no more than the name", "is no sentence"
	for _, tt := range []struct {
		description string
		names       []string
		want        string
	}{
		{"How often it was started; more than 1 after a worker was lost.", []string{"Task", "attempt"}, ""},
		{"", []string{"Task"}, sentence},
		{"When it was created", []string{"Task", "createdAt"}, sentence},
		{"The task.", []string{"TaskEdge", "node"}, nothing},
		{"Bytes.", []string{"ProgressUnit", "BYTES"}, nothing},
		{"The id of the repository.", []string{"Repository", "id"}, nothing},
		{"Its number.", []string{"Version", "number"}, nothing},
		{"Its number, from 1 on.", []string{"Version", "number"}, ""},
	} {
		if got := wanting(tt.description, tt.names...); got != tt.want {
			t.Errorf("%q of %q: got %q, want %q", tt.description, tt.names, got, tt.want)
		}
	}
}
