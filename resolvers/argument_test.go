package resolvers

import (
	"reflect"
	"strings"
	"testing"

	"ream/catalog"
	"ream/content"
	"ream/fault"
	"ream/graph"
	"ream/page"
)

func TestSelector(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   graph.RepositorySelector
		want catalog.Selector
		kind fault.Kind // of the error; empty for none
	}{
		{"ids", graph.RepositorySelector{Ids: []string{"repository-3", "repository-4"}}, catalog.Selector{IDs: []content.RepositoryID{3, 4}}, ""},
		{"no ids", graph.RepositorySelector{Ids: []string{}}, catalog.Selector{IDs: []content.RepositoryID{}}, ""},
		{"names", graph.RepositorySelector{Names: []string{"a"}}, catalog.Selector{Names: []string{"a"}}, ""},
		{"labels", graph.RepositorySelector{Labels: new("a=b")}, catalog.Selector{Labels: new("a=b")}, ""},
		{"all", graph.RepositorySelector{All: new(true)}, catalog.Selector{All: true}, ""},
		{"not all", graph.RepositorySelector{All: new(false)}, catalog.Selector{}, fault.BadInput},
		{"nothing", graph.RepositorySelector{}, catalog.Selector{}, fault.BadInput},
		{"two", graph.RepositorySelector{Names: []string{"a"}, All: new(true)}, catalog.Selector{}, fault.BadInput},
		{"four", graph.RepositorySelector{Ids: []string{}, Names: []string{}, Labels: new(""), All: new(true)}, catalog.Selector{}, fault.BadInput},
		{"another noun's id", graph.RepositorySelector{Ids: []string{"remote-3"}}, catalog.Selector{}, fault.BadInput},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := selector(&tt.in)
			if tt.kind == "" {
				if err != nil || !reflect.DeepEqual(got, tt.want) {
					t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
				}
				return
			}
			if !fault.Is(err, tt.kind) {
				t.Errorf("got %v, want %s", err, tt.kind)
			}
			if tt.kind == fault.BadInput && !strings.HasPrefix(fault.Message(err), "repositories") {
				t.Errorf("got %v, want it to name repositories", err)
			}
		})
	}
}

func TestPageRequest(t *testing.T) {
	t.Parallel()
	cursor := page.EncodeCursor("7")
	tests := []struct {
		name          string
		first, last   *int32
		after, before *string
		want          page.Request
		field         string // at fault; empty for none
	}{
		{"nothing", nil, nil, nil, nil, page.Request{}, ""},
		{"forward", new(int32(100)), nil, &cursor, nil, page.Request{First: 100, After: "7"}, ""},
		{"backward", nil, new(int32(1)), nil, &cursor, page.Request{Last: 1, Before: "7"}, ""},
		{"between", new(int32(5)), nil, &cursor, &cursor, page.Request{First: 5, After: "7", Before: "7"}, ""},
		{"none", new(int32(0)), nil, nil, nil, page.Request{}, "first"},
		{"negative", nil, new(int32(-1)), nil, nil, page.Request{}, "last"},
		{"too many", new(int32(101)), nil, nil, nil, page.Request{}, "first"},
		{"both", new(int32(1)), new(int32(1)), nil, nil, page.Request{}, "last"},
		{"bad before", nil, nil, nil, new("7"), page.Request{}, "before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := pageRequest(tt.first, tt.after, tt.last, tt.before)
			switch {
			case tt.field == "" && (err != nil || got != tt.want):
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			case tt.field != "" && (!fault.Is(err, fault.BadInput) || !strings.HasPrefix(fault.Message(err), tt.field+": ")):
				t.Errorf("got %v, want bad input in %s", err, tt.field)
			}
		})
	}
}
