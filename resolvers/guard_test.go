package resolvers

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ream/access"
	"ream/page"
	"ream/task"
)

// TestLimits asks for exactly what each limit allows, and for one more.
func TestLimits(t *testing.T) {
	t.Parallel()
	times := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	tests := []struct {
		limit string
		query func(n int) string
	}{
		{"tokens=100", func(n int) string { return "{" + strings.Repeat("__typename ", n-2) + "}" }},
		{"aliases=7", func(n int) string { return "{" + times(n, "a%d: __typename ") + "}" }},
		{"directives=7", func(n int) string {
			return `query($a: Boolean = true) {task(id: "task-1"){` + times(n, "...F%d @include(if: $a) ") + "}}" + times(n, " fragment F%d on Task {id}")
		}},
		{"root-fields=7", func(n int) string {
			return "{...F}" + " fragment F on Query {" + strings.Repeat("__typename ", n) + "}"
		}},
		{"depth=7", func(n int) string {
			return `{task(id: "task-1"){` + strings.Repeat("parent{", n-2) + "id" + strings.Repeat("}", n-2) + "}}"
		}},
		{"cost=43", func(n int) string { return fmt.Sprintf(`{tasks(first: %d){nodes{id}}}`, n-1) }},
	}
	for _, tt := range tests {
		t.Run(tt.limit, func(t *testing.T) {
			t.Parallel()
			name, number, _ := strings.Cut(tt.limit, "=")
			var limits Limits
			if err := limits.Set(tt.limit); err != nil {
				t.Fatal(err)
			}
			var n int
			if _, err := fmt.Sscan(number, &n); err != nil {
				t.Fatal(err)
			}
			within := func(l Limits, n int) answer {
				return askWith(t, Resolver{Store: &memory{}}, Options{Limits: l}, tt.query(n), nil)
			}
			if a := within(limits, n); len(a.Errors) > 0 {
				t.Errorf("%d: got %v", n, a.Errors)
			}
			a := within(limits, n+1)
			if a.code(t) != "TOO_COMPLEX" || len(a.Errors) == 0 {
				t.Fatalf("%d: got %v, want TOO_COMPLEX", n+1, a.Errors)
			}
			e := a.Errors[0]
			if !strings.Contains(e.Message, "(limit "+tt.limit+")") || e.Extensions["limit"] != name || e.Extensions["maximum"] != float64(n) {
				t.Errorf("got %v, want it to name the limit and its number", e)
			}
			if a := within(Limits{}, n+1); len(a.Errors) > 0 {
				t.Errorf("without limits: got %v", a.Errors)
			}
		})
	}
}

// slow is a store whose tasks take as long as the client waits.
type slow struct{ *memory }

// Within is the same within every limit.
func (s slow) Within(access.Limit) Store { return s }

func (slow) Tasks(ctx context.Context, _ task.Filter, _ page.Request) (*page.Of[*task.Task], error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestDuration(t *testing.T) {
	t.Parallel()
	store := slow{&memory{}}
	a := askWith(t, Resolver{Store: store}, Options{Limits: Limits{Duration: 10 * time.Millisecond}}, `{tasks{nodes{id}}}`, nil)
	if a.code(t) != "UNAVAILABLE" || !strings.Contains(a.Errors[0].Message, "(limit duration=10ms)") || a.Errors[0].Extensions["maximum"] != 0.01 {
		t.Errorf("got %v, want it to name the limit", a.Errors)
	}
}

// TestErrorsAreBounded counts what is told of many errors, whether the request was
// executed or not.
func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	store := &memory{failing: "Ahead"}
	for name, query := range map[string]string{
		"executed": `{tasks{nodes{id ahead}}}`,
		"rejected": "{" + strings.Repeat("x ", 10) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			o := Options{Limits: Limits{Errors: 3}, Log: slog.New(slog.NewTextHandler(&log, nil))}
			a := askWith(t, Resolver{Store: store}, o, query, nil)
			if len(a.Errors) != 4 || a.Errors[3].Message != "7 more errors are left out (limit errors=3)" {
				t.Errorf("got %v, want three errors and a word of the others", a.Errors)
			}
			for _, e := range a.Errors {
				if code := e.Extensions["code"]; code != "BAD_INPUT" && code != "INTERNAL" {
					t.Errorf("got code %v", code)
				}
			}
			if n := strings.Count(log.String(), "\n"); n > 3 {
				t.Errorf("got %d lines in the log, want at most three", n)
			}
			if a := askWith(t, Resolver{Store: store}, Options{}, query, nil); len(a.Errors) != 10 {
				t.Errorf("without a limit: got %d errors, want 10", len(a.Errors))
			}
		})
	}
}

func TestLimitsAsAFlag(t *testing.T) {
	t.Parallel()
	l := DefaultLimits()
	if err := l.Set("depth=3, body=2MiB,duration=1m,message=1500,rate=0"); err != nil {
		t.Fatal(err)
	}
	want := DefaultLimits()
	want.Depth, want.Body, want.Duration, want.Message, want.Rate = 3, 2<<20, time.Minute, 1500, 0
	if l != want {
		t.Errorf("got %+v, want %+v", l, want)
	}
	var again Limits
	if err := again.Set(l.String()); err != nil || again != l {
		t.Errorf("%s: got %+v, %v", &l, again, err)
	}
	for _, text := range []string{"", "depth", "depth=", "depth=-1", "depth=x", "height=1", "depth=1,", "body=1GB", "body=-1", "duration=5", "duration=-1s", "depth=99999999999"} {
		if err := new(Limits).Set(text); err == nil {
			t.Errorf("%q: got no error", text)
		}
	}
}
