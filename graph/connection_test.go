package graph_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"ream/content"
	"ream/fault"
	"ream/graph"
	"ream/page"
)

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"1", "a/b c", "1:2", "ключ", strings.Repeat("x", 1024)} {
		got, err := graph.DecodeCursor("after", graph.EncodeCursor(key))
		if err != nil || got != key {
			t.Errorf("cursor of %q: got %q, %v", key, got, err)
		}
	}
}

func TestDecodeCursorRejects(t *testing.T) {
	t.Parallel()
	encode := base64.RawURLEncoding.EncodeToString
	tests := []struct{ name, cursor string }{
		{"empty", ""},
		{"not base64", "%%%"},
		{"padded", encode([]byte("1:a")) + "="},
		{"no version", encode([]byte("12"))},
		{"other version", encode([]byte("2:12"))},
		{"no key", encode([]byte("1:"))},
		{"stray bits", "MTox" + "Zh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, err := graph.DecodeCursor("before", tt.cursor)
			if !fault.Is(err, fault.BadInput) || !strings.HasPrefix(fault.Message(err), "before: ") {
				t.Errorf("cursor %q: got %q, %v, want bad input in before", tt.cursor, key, err)
			}
		})
	}
}

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
	if !info.HasNextPage || info.HasPreviousPage || *info.StartCursor != c.Edges[0].Cursor || *info.EndCursor != graph.EncodeCursor("5") {
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
