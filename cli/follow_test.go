package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ream/cli/client"
)

// following returns a follower of the server's work that waits for nothing,
// what it writes, and the delays that it would have waited for.
func following(t *testing.T, server *answers) (f *follower, out *strings.Builder, delays *[]time.Duration) {
	t.Helper()
	c, err := client.New(server.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, delays = &strings.Builder{}, &[]time.Duration{}
	f = newFollower(c, Env{Stdout: out})
	now := began
	f.now = func() time.Time { return now }
	f.wait = func(_ context.Context, d time.Duration) error {
		*delays = append(*delays, d)
		now = now.Add(d)
		return nil
	}
	return f, out, delays
}

func TestFollowConnectsAgain(t *testing.T) {
	t.Parallel()
	server := newAnswers(t, nil,
		func(c *connection) {
			c.frame("WAITING", `"waiting":2,"total":2`)
			c.closes()
		},
		func(c *connection) {}, // drops without a word
		func(c *connection) { // ends the subscription too soon
			c.frame("RUNNING", `"running":2,"total":2`)
			c.sends(`{"id":"1","type":"complete"}`)
		},
		func(c *connection) { // is overloaded for a moment
			c.sends(`{"id":"1","type":"error","payload":[{"message":"come back later","extensions":{"code":"UNAVAILABLE"}}]}`)
		},
		func(c *connection) {
			c.frame("RUNNING", `"running":1,"completed":1,"total":2`)
			c.sends(`{"type":"ping"}`)
			c.wants("pong")
			c.frame("COMPLETED", `"completed":2,"total":2,"finished":2`)
			c.sends(`{"id":"1","type":"complete"}`)
		},
	)
	f, out, delays := following(t, server)
	last, err := f.follow(t.Context(), "group-7")
	if err != nil || last.GetState() != client.TaskStateCompleted {
		t.Fatalf("got %+v and error %v", last, err)
	}
	if len(*delays) != 4 {
		t.Errorf("got delays %v, want 4", *delays)
	}
	for _, want := range []string{
		"group-7 WAITING: 2 waiting of 2\n",
		"the connection was lost: Service restart; connecting again\n",
		"the connection was lost: the server ended the subscription; connecting again\n",
		"come back later; connecting again\n",
		"group-7 RUNNING: 1 completed, 1 running of 2\ngroup-7 COMPLETED: 2 completed of 2\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got %q, want it to contain %q", out, want)
		}
	}
}

func TestFollowGivesUpInTheEnd(t *testing.T) {
	t.Parallel()
	f, _, delays := following(t, newAnswers(t, nil))
	_, err := f.follow(t.Context(), "group-7")
	if !errors.Is(err, client.ErrDropped) || !strings.Contains(err.Error(), `no answer for 5 min 00 s`) {
		t.Errorf("got error %v", err)
	}
	if longest := slices.Max(*delays); longest > lastDelay || longest < lastDelay/2 {
		t.Errorf("got a longest delay of %s, want about %s", longest, lastDelay)
	}
}

func TestFollowEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := newAnswers(t, nil, func(c *connection) {
		c.frame("RUNNING", `"running":2,"total":2`)
		cancel()
		if _, _, err := c.ReadMessage(); err == nil {
			t.Error("the client went on")
		}
	})
	f, _, _ := following(t, server)
	if _, err := f.follow(ctx, "group-7"); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

func TestFollowTellsWhyItIsRefused(t *testing.T) {
	t.Parallel()
	server := newAnswers(t, nil, func(c *connection) {
		c.sends(`{"id":"1","type":"error","payload":[{"message":"there is no group-7","extensions":{"code":"NOT_FOUND"}}]}`)
	})
	f, _, delays := following(t, server)
	_, err := f.follow(t.Context(), "group-7")
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Code != "NOT_FOUND" || len(*delays) != 0 {
		t.Errorf("got error %v after %d delays, want NOT_FOUND at once", err, len(*delays))
	}
}
