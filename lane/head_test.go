package lane_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ream/lane"
)

// describing returns headers of a body of so many bytes, with others.
func describing(length int, others http.Header) http.Header {
	h := http.Header{"Content-Type": {"text/x-test"}, "Content-Length": {strconv.Itoa(length)}}
	maps.Copy(h, others)
	return h
}

// TestHeads expects answers with a head that was made before to be those of a
// handler that sets each of its headers by itself.
func TestHeads(t *testing.T) {
	t.Parallel()
	some := http.Header{
		"Etag": {`"x"`}, "X-Two": {"1", " 2\t"}, "X-Empty": {""}, "X-Lines": {"a\r\nB: c\n"},
		"": {"1"}, "with space": {"1"}, "X\r\nSet-Cookie: a=b\r\nY": {"1"},
	}
	own := http.Header{
		"X-Request-Id": {"1"}, "X-Two": {"of the request"}, "Two": {"another"}, "X-Tw": {"1"}, "E": {"2"},
		"Content-Length": {"7"}, "Content-Type": {"text/plain"},
	}
	tests := map[string]struct {
		own    http.Header // of the one answer
		status int
		told   int // how long the body is
		body   []int
		after  func(http.ResponseWriter)
	}{
		"a body":               {own, 200, 10, []int{10}, nil},
		"in pieces":            {own, 200, 10, []int{1, 0, 9}, nil},
		"none":                 {own, 200, 0, nil, nil},
		"a large one":          {own, 200, 70_000, []int{50_000, 20_000}, nil},
		"less than was told":   {own, 200, 10, []int{3}, nil},
		"nothing of it":        {own, 200, 10, nil, nil},
		"more than was told":   {own, 200, 3, []int{3, 1}, nil},
		"not found":            {nil, 404, 10, []int{10}, nil},
		"a status of nobody's": {nil, 599, 10, []int{10}, nil},
		"not modified":         {own, 304, 10, nil, nil},
		"no content":           {own, 204, 10, nil, nil},
		"a date":               {http.Header{"Date": {"today"}}, 200, 10, []int{10}, nil},
		"no date":              {http.Header{"Date": nil}, 200, 10, []int{10}, nil},
		"the connection's end": {http.Header{"Connection": {"close"}}, 200, 10, []int{10}, nil},
		"a status behind it":   {own, 200, 10, []int{10}, func(w http.ResponseWriter) { w.WriteHeader(500) }},
		"a header behind it":   {own, 200, 10, []int{10}, func(w http.ResponseWriter) { w.Header().Set("X-Late", "1") }},
		"another head behind it": {own, 200, 10, []int{10}, func(w http.ResponseWriter) {
			lane.WriteHead(w, 500, lane.NewHead(describing(3, nil)))
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := lane.NewHead(describing(tt.told, some))
			answer := func(write func(w http.ResponseWriter)) http.HandlerFunc {
				return func(w http.ResponseWriter, _ *http.Request) {
					for name, values := range tt.own {
						w.Header()[name] = slices.Clone(values)
					}
					write(w)
					for _, n := range tt.body {
						_, _ = w.Write(bytes.Repeat([]byte("a"), n))
					}
					if tt.after != nil {
						tt.after(w)
					}
				}
			}
			byHead := startPair(t, answer(func(w http.ResponseWriter) { lane.WriteHead(w, tt.status, made) }))
			bySelf := startPair(t, answer(func(w http.ResponseWriter) {
				maps.Copy(w.Header(), describing(tt.told, some))
				w.WriteHeader(tt.status)
			}))
			for _, method := range []string{"GET", "HEAD"} {
				r := request(method, "/content/a")
				want := sorted(exchange(t, bySelf.plain, r, r))
				for kind, address := range map[string]string{"the lane": byHead.lane.address, "net/http": byHead.plain} {
					if got := sorted(exchange(t, address, r, r)); got != want {
						t.Errorf("%s, %s: got\n%.2000s\nwant\n%.2000s", method, kind, got, want)
					}
				}
			}
		})
	}
}

// sorted puts the lines of answers, whose bodies have one, in an order.
func sorted(answers string) string {
	lines := strings.Split(answers, "\r\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestHeadsOfAnyKind compares heads with the headers that they were made of.
func TestHeadsOfAnyKind(t *testing.T) {
	t.Parallel()
	names := []string{"A", "Aa", "A-A", "Content", "Content-Typ", "Type", "Etag", "X-Etag", "Etag-X", "Accept-Ranges", "Cache-Control", "Vary"}
	for i := range 60 { // of which some have the same mark
		names = append(names, "X-A"+strings.Repeat("a", i))
	}
	for range 300 {
		h, others := describing(rand.IntN(100), nil), http.Header{"Kept": {"1"}}
		for range rand.IntN(8) {
			h.Add(names[rand.IntN(len(names))], []string{"", "Etag: 1", "a", names[rand.IntN(len(names))]}[rand.IntN(4)])
			others.Add(names[rand.IntN(len(names))], "another")
		}
		made := lane.NewHead(h)
		for _, name := range names {
			if got, want := made.Get(name), h.Get(name); got != want {
				t.Fatalf("%q: %s: got %q, want %q", h, name, got, want)
			}
		}
		w := plainWriter{others}
		want := maps.Clone(others)
		maps.Copy(want, h)
		lane.WriteHead(w, 200, made)
		if got := w.header; !maps.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// plainWriter is a http.ResponseWriter that takes no heads.
type plainWriter struct{ header http.Header }

func (w plainWriter) Header() http.Header         { return w.header }
func (w plainWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w plainWriter) WriteHeader(int)             {}

// TestHeadsThatAreNone expects heads to tell what a body is, and nothing else.
func TestHeadsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Header{
		"no type":         {"Content-Length": {"1"}},
		"no length":       {"Content-Type": {"text/plain"}},
		"no number":       describing(0, http.Header{"Content-Length": {"one"}}),
		"a negative one":  describing(-1, nil),
		"a connection":    describing(1, http.Header{"Connection": {"close"}}),
		"a date":          describing(1, http.Header{"Date": {"today"}}),
		"trailers":        describing(1, http.Header{"Trailer": {"X"}}),
		"chunks":          describing(1, http.Header{"Transfer-Encoding": {"chunked"}}),
		"two of a length": describing(1, http.Header{"Content-Length": {"1", "2"}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("it was made")
				}
			}()
			lane.NewHead(h)
		})
	}
}

// TestHeadersAreOfOneAnswer expects none of the answers before.
func TestHeadersAreOfOneAnswer(t *testing.T) {
	t.Parallel()
	asked := 0
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range asked * 20 % 100 {
			w.Header().Set(fmt.Sprintf("X-%d-%d", asked, i), "1")
		}
		asked++
		w.Header()["Date"] = nil
		_, _ = io.WriteString(w, "fine")
	})
	c := s.dial(t)
	for i := range 12 {
		c.send(plainly)
		response, _ := c.receive("GET")
		if got, want := len(response.Header), i*20%100+2; got != want {
			t.Errorf("%d: got %d headers, want %d: %q", i, got, want, response.Header)
		}
	}
}
