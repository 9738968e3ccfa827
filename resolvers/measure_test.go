package resolvers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// measureOf measures the first operation of a document.
func measureOf(t *testing.T, query string, variables map[string]any) measure {
	t.Helper()
	document, errs := gqlparser.LoadQueryWithRules(NewSchema(Resolver{}).Schema(), query, nil)
	if errs != nil {
		t.Fatal(errs)
	}
	w := walk{variables: variables, fragments: map[string]measure{}}
	return w.measure(document.Operations[0].SelectionSet)
}

// fragmentBomb is a document whose fragments spread each other twice, which
// would be 2^n fields.
func fragmentBomb(n int) string {
	bomb := `{tasks{nodes{...F0}}}`
	for i := range n {
		bomb += fmt.Sprintf(" fragment F%d on Task {parent{...F%d} retryOf{...F%d}}", i, i+1, i+1)
	}
	return bomb + fmt.Sprintf(" fragment F%d on Task {id}", n)
}

func TestCost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		variables   map[string]any
		want        int
	}{
		{"scalars are free", `{__typename}`, nil, 0},
		{"objects", `{task(id: "task-1"){counts{total}}}`, nil, 2},
		{"page of the usual size", `{tasks{nodes{id}}}`, nil, 1 + 20},
		{"page by a literal", `{tasks(first: 3){nodes{id counts{total}}}}`, nil, 1 + 3*2},
		{"page by its edges", `{tasks(first: 3){edges{cursor node{id}}}}`, nil, 1 + 3*2},
		{"page by a variable", `query($n: Int){tasks(last: $n){nodes{id}}}`, map[string]any{"n": json.Number("3")}, 1 + 3},
		{"page by a default", `query($n: Int = 4){tasks(first: $n){nodes{id}}}`, map[string]any{"n": int64(4)}, 1 + 4},
		{"page out of range", `{tasks(first: 1000000){nodes{id}}}`, nil, 1 + 100},
		{"what a page has once", `{tasks(first: 100){totalCount pageInfo{endCursor}}}`, nil, 1 + totalCountPrice + 1},
		{"ids", `{nodes(ids: ["a", "b"]){id ... on Task{group{id}}}}`, nil, 1 + 2},
		{"ids by a variable", `query($ids: [ID!]!){nodes(ids: $ids){... on Task{group{id}}}}`, map[string]any{"ids": []any{"a", "b", "c"}}, 1 + 3},
		{"fragments", `{a: task(id: "a"){...F} b: task(id: "a"){...F}} fragment F on Task{counts{total}}`, nil, 4},
		{"fragments of pages", `{a: tasks(first: 3){...F} b: tasks(first: 5){...F}} fragment F on TaskConnection{totalCount nodes{id}}`, nil, 2*(1+totalCountPrice) + 3 + 5},
		{"pages in pages", `{repositories(first: 100){nodes{versions(first: 100){nodes{id}}}}}`, nil, 1 + 100*(1+1+100)},
		{"a list of its own", `{queue{workers{tasks(first: 1){nodes{id}}}}}`, nil, 100 + 1 + 10*(1+1)},
		{"scalars that are dear", `{tasks(first: 10){nodes{ahead}}}`, nil, 1 + 10*(1+2)},
		{"directories", `{publication(id: "a"){entries(first: 10){totalCount nodes{path}}}}`, nil, 1 + 5 + 500 + 10},
		{"mutations", `mutation{cancel(id: "task-1"){... on Work{id counts{total}}}}`, nil, mutationPrice + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := measureOf(t, tt.query, tt.variables).cost; got != tt.want {
				t.Errorf("cost: got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestCostIsBounded(t *testing.T) {
	t.Parallel()
	deep := "id"
	for range 20 {
		deep = "spawned(first: 100){nodes{" + deep + "}}"
	}
	if got := measureOf(t, `{task(id: "a"){`+deep+`}}`, nil).cost; got != most {
		t.Errorf("a hundred to the twentieth: got %d, want %d", got, most)
	}
	if got := measureOf(t, fragmentBomb(26), nil).cost; got <= DefaultLimits().Cost {
		t.Errorf("fragment bomb: got %d", got)
	}
}

// TestPricesAreOfFields finds prices of what the schema no longer has.
func TestPricesAreOfFields(t *testing.T) {
	t.Parallel()
	schema := NewSchema(Resolver{}).Schema()
	for name := range prices {
		object, field, _ := strings.Cut(name, ".")
		if definition := schema.Types[object]; definition == nil || definition.Fields.ForName(field) == nil {
			t.Errorf("there is no field %s", name)
		}
	}
	for _, definition := range schema.Types {
		if definition.Kind != ast.Object || strings.HasPrefix(definition.Name, "__") || isConnection(definition.Name) {
			continue
		}
		for _, f := range definition.Fields {
			unbounded := f.Type.Elem != nil && !schema.Types[f.Type.Name()].IsLeafType() && f.Arguments.ForName("first") == nil && f.Arguments.ForName("ids") == nil
			if unbounded && prices[definition.Name+"."+f.Name].items == 0 {
				t.Errorf("%s.%s is a list without a usual size: give it a price", definition.Name, f.Name)
			}
		}
	}
}
