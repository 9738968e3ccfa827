package resolvers

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/access"
	"ream/task"
)

func TestFramesAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old, next := group(1, 0, 1), group(0, 1, 2)
		var b broadcast
		executed := 0
		buffer := []byte(`{}`)
		good := func() *graphql.Response {
			executed++
			buffer[1] = byte('0' + executed) // as gqlgen does
			return &graphql.Response{Data: buffer}
		}
		bad := func() *graphql.Response {
			executed++
			return &graphql.Response{Data: []byte(`{!`), Errors: gqlerror.List{{Message: "no"}}}
		}
		steps := []struct {
			name     string
			snapshot *task.Group
			execute  func() *graphql.Response
			after    time.Duration
			want     string
		}{
			{"the first", old, good, 0, "{1"},
			{"the same snapshot", old, good, frameAge, "{1"},
			{"the same snapshot, later", old, good, time.Millisecond, "{2"},
			{"an error", next, bad, 0, "{!"},
			{"after an error", next, good, 0, "{4"},
			{"the same snapshot again", next, bad, 0, "{4"},
		}
		for _, step := range steps {
			time.Sleep(step.after)
			if got := string(b.frame(step.snapshot, step.execute).Data); got != step.want {
				t.Errorf("%s: got %s, want %s", step.name, got, step.want)
			}
		}
	})
}

func TestAudiences(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSharing()
		ctx, leave := context.WithCancel(t.Context())
		join := func(query string, variables map[string]any, role access.Role, limit access.Limit) *broadcast {
			caller := access.Caller{Principal: access.Principal{Role: role, Limit: limit}}
			return s.join(access.WithCaller(ctx, caller), &graphql.OperationContext{RawQuery: query, Variables: variables})
		}
		one := map[string]any{"id": "group-1"}
		first := join("a", one, access.Reader, "")
		if again := join("a", map[string]any{"id": "group-1"}, access.Reader, ""); again != first {
			t.Error("who asks the same has frames of their own")
		}
		for name, other := range map[string]*broadcast{
			"query":     join("b", one, access.Reader, ""),
			"variables": join("a", map[string]any{"id": "group-2"}, access.Reader, ""),
			"role":      join("a", one, access.Admin, ""),
			"limit":     join("a", one, access.Reader, "team=a"),
		} {
			if other == first {
				t.Errorf("who has another %s has the same frames", name)
			}
		}
		if len(s.broadcasts) != 5 {
			t.Errorf("got %d broadcasts, want 5", len(s.broadcasts))
		}
		leave()
		synctest.Wait()
		if len(s.broadcasts) != 0 {
			t.Errorf("%d broadcasts are kept for nobody", len(s.broadcasts))
		}
	})
}
