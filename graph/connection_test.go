package graph_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ream/content"
	"ream/graph"
	"ream/page"
)

func TestConnect(t *testing.T) {
	t.Parallel()
	counted := 0
	c := graph.Connect(&page.Of[*content.Remote]{
		Items: []page.Item[*content.Remote]{
			{Node: &content.Remote{ID: 3}, Key: "3"},
			{Node: &content.Remote{ID: 5}, Key: "5"},
		},
		HasNext: true,
		Count:   func(context.Context) (int, error) { counted++; return 7, nil },
	})
	if nodes := c.Nodes(); len(nodes) != 2 || nodes[1].ID != 5 {
		t.Errorf("nodes: got %v", nodes)
	}
	info := c.PageInfo
	if !info.HasNextPage || info.HasPreviousPage || *info.StartCursor != c.Edges[0].Cursor || *info.EndCursor != page.EncodeCursor("5") {
		t.Errorf("page info: got %+v", info)
	}
	if counted != 0 {
		t.Error("the list was counted although nobody asked")
	}
	if n, err := c.TotalCount(t.Context()); n != 7 || err != nil {
		t.Errorf("total count: got %d, %v, want 7", n, err)
	}
}

func TestConnectEmpty(t *testing.T) {
	t.Parallel()
	c := graph.Connect(&page.Of[*content.Unit]{})
	if c.Edges == nil || c.Nodes() == nil || c.PageInfo.StartCursor != nil || c.PageInfo.EndCursor != nil {
		t.Errorf("empty page: got %+v with %+v", c, c.PageInfo)
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	zone := time.FixedZone("", 3600)
	graph.MarshalTime(time.Date(2026, 11, 1, 13, 0, 0, 5_000_000, zone)).MarshalGQL(&text)
	if got, want := text.String(), `"2026-11-01T12:00:00.005Z"`; got != want {
		t.Errorf("marshal: got %s, want %s", got, want)
	}
	got, err := graph.UnmarshalTime("2026-11-01T13:00:00+01:00")
	if want := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC); err != nil || !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("unmarshal: got %v, %v, want %v", got, err, want)
	}
	for _, bad := range []any{"yesterday", 12, nil} {
		if _, err := graph.UnmarshalTime(bad); err == nil {
			t.Errorf("unmarshal %v: got no error", bad)
		}
	}
}
