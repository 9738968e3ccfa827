package main_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// connection is a list of the API: a document with a place for the page's
// arguments, in which it is the innermost field.
type connection struct {
	name, document string
	add            func() // adds to the list; nil if nothing can be added
	newest         bool   // what is added comes first
}

// pageOf is a page of a connection.
type pageOf struct {
	Edges []struct {
		Cursor string
		Node   struct{ ID string }
	}
	PageInfo struct {
		HasNextPage, HasPreviousPage bool
		StartCursor, EndCursor       *string
	}
}

// read reads a page.
func (c connection) read(p *program, arguments string) pageOf {
	p.t.Helper()
	data := query[json.RawMessage](p, fmt.Sprintf(c.document, `(`+arguments+`) { edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }`), nil)
	for {
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(data, &inner); err != nil {
			p.t.Fatal(err)
		}
		if _, ok := inner["edges"]; ok {
			var page pageOf
			if err := json.Unmarshal(data, &page); err != nil {
				p.t.Fatal(err)
			}
			return page
		}
		for _, data = range inner { // the only field
		}
	}
}

func (page pageOf) ids() []string {
	var ids []string
	for _, e := range page.Edges {
		ids = append(ids, e.Node.ID)
	}
	return ids
}

// walk reads a list page by page, and adds to it after the first page.
func (c connection) walk(p *program, first, after string, next func(pageOf) (more bool, cursor *string)) (pages [][]string) {
	p.t.Helper()
	for arguments := first + ": 2"; ; {
		page := c.read(p, arguments)
		pages = append(pages, page.ids())
		more, cursor := next(page)
		if !more {
			return pages
		}
		if len(pages) == 1 && c.add != nil {
			c.add()
		}
		arguments = fmt.Sprintf("%s: 2, %s: %q", first, after, *cursor)
	}
}

func TestPagesInBothDirections(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(5))
		p.repository("r", up.URL+"/PULP_MANIFEST")
		added := 0
		grow := func() { // each part of the library by one
			added++
			up.set(func() { up.files[fmt.Sprint("added ", added)] = []byte(fmt.Sprint(added)) })
			if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
				t.Fatalf("got %+v", got)
			}
			name := fmt.Sprint("r", added)
			id := p.repository(name, up.URL+"/PULP_MANIFEST")
			query[any](p, `mutation($p: String!, $r: ID!) { createDistribution(input: {path: $p, repository: $r}) { id } }`, map[string]any{"p": name, "r": id})
			query[any](p, `mutation($p: String!) { createDistribution(input: {path: $p, repository: "repository-1"}) { id } }`, map[string]any{"p": name + "-too"})
		}
		for range 3 {
			grow()
		}
		up.set(func() { up.files = map[string][]byte{"alone": []byte("alone")} })
		p.follow(p.mirror("r"))
		for _, c := range []connection{
			{"remotes", `{ remotes%s }`, grow, false},
			{"repositories", `{ repositories%s }`, grow, false},
			{"distributions", `{ distributions%s }`, grow, false},
			{"publications", `{ publications%s }`, grow, true},
			{"tasks", `{ tasks%s }`, grow, true},
			{"groups", `{ taskGroups%s }`, grow, true},
			{"versions of a repository", `{ repository(name: "r") { versions%s } }`, grow, true},
			{"publications of a repository", `{ repository(name: "r") { publications%s } }`, grow, true},
			{"distributions of a repository", `{ repository(name: "r") { distributions%s } }`, grow, false},
			{"units of a version", `{ repository(name: "r") { version(number: 3) { units%s } } }`, grow, false},
			{"units added", `{ repository(name: "r") { version(number: 1) { added%s } } }`, nil, false},
			{"units removed", `{ repository(name: "r") { version(number: 4) { removed%s } } }`, nil, false},
			{"tasks of a group", `{ taskGroup(id: "group-1") { tasks%s } }`, nil, false},
		} {
			before := c.read(p, "first: 100").ids()
			if len(before) < 3 {
				t.Errorf("%s: %d are too few to tell", c.name, len(before))
			}
			forward := c.walk(p, "first", "after", func(page pageOf) (bool, *string) { return page.PageInfo.HasNextPage, page.PageInfo.EndCursor })
			after := c.read(p, "first: 100").ids()
			want := after
			if c.newest {
				want = before // what came meanwhile lies before where the reader began
			}
			if got := slices.Concat(forward...); !slices.Equal(got, want) {
				t.Errorf("%s forwards: got %q, want %q", c.name, got, want)
			}
			backward := c.walk(p, "last", "before", func(page pageOf) (bool, *string) { return page.PageInfo.HasPreviousPage, page.PageInfo.StartCursor })
			slices.Reverse(backward)
			want = after
			if c.newest {
				want = c.read(p, "first: 100").ids()
			}
			if got := slices.Concat(backward...); !slices.Equal(got, want) {
				t.Errorf("%s backwards: got %q, want %q", c.name, got, want)
			}
			if len(slices.Compact(slices.Sorted(slices.Values(after)))) != len(after) {
				t.Errorf("%s: something is listed twice: %s", c.name, strings.Join(after, " "))
			}
		}
	})
}
