package quota

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestNetworks(t *testing.T) {
	t.Parallel()
	seen := map[network]string{}
	for _, remote := range []string{"192.0.2.1:80", "192.0.2.2:80", "[2001:db8:1:2::1]:80", "[2001:db8:1:3::1]:80", "[::1]:80", "[fe80::1%eth0]:80"} {
		n := networkOf(remote)
		if other, taken := seen[n]; n == 0 || taken {
			t.Errorf("%s: got %x, as %q", remote, n, other)
		}
		seen[n] = remote
	}
	for remote, same := range map[string]string{"192.0.2.1:4711": "[::ffff:192.0.2.1]:80", "[2001:db8:1:2::1]:1": "[2001:db8:1:2:ffff::9]:2"} {
		if a, b := networkOf(remote), networkOf(same); a != b {
			t.Errorf("%s and %s: got %x and %x", remote, same, a, b)
		}
	}
	for _, remote := range []string{"", "@", "192.0.2.1", "/run/socket"} {
		if n := networkOf(remote); n != 0 {
			t.Errorf("%q: got %x", remote, n)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	const a, b, c = "192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.3:1"
	q := NewRequests(2, 3)
	want := func(remote string, want *Refused) {
		t.Helper()
		if _, got := q.Begin(remote); (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: got %+v, want %+v", remote, got, want)
		}
	}
	want(a, nil)
	want("192.0.2.1:2", nil)
	want(a, &Refused{Max: 2})
	want(b, nil)
	want(c, &Refused{Max: 3, All: true})
	want("@", nil) // the system's own
	if got := q.Load(); got != (Load{Open: 3, RefusedClient: 1, RefusedAll: 1}) {
		t.Errorf("got %+v", got)
	}
	q.End(nil)
	q.End(q.part(networkOf(a)).clients[networkOf(a)])
	want(c, nil)
	for _, remote := range []string{a, b, c} {
		q.End(q.part(networkOf(remote)).clients[networkOf(remote)])
	}
	if got := q.Load().Open; got != 0 {
		t.Errorf("got %d open", got)
	}
}

// TestClientsAreForgotten has more clients than are remembered, one of which has
// had a request open for long, and another of which comes back.
func TestClientsAreForgotten(t *testing.T) {
	t.Parallel()
	q := NewRequests(1, 0)
	remote := func(i int) string { return fmt.Sprintf("[2001:db8:%x:%x::1]:80", i>>16, i&0xffff) }
	const many = 100_000
	long, refused := q.Begin(remote(0))
	if refused != nil {
		t.Fatalf("got %+v", refused)
	}
	for i := 1; i < many; i++ {
		client, refused := q.Begin(remote(i))
		if refused != nil {
			t.Fatalf("%d: got %+v", i, refused)
		}
		q.End(client)
	}
	remembered := 0
	for i := range q.parts {
		remembered += len(q.parts[i].clients)
	}
	if most := parts*leastEnough + 1; remembered > most {
		t.Errorf("%d clients are remembered, want at most %d", remembered, most)
	}
	for range 2 { // looked up, and known
		if _, refused := q.Begin(remote(0)); refused == nil {
			t.Error("the request that is open since long is not counted")
		}
	}
	q.End(long)
	for _, i := range []int{0, 1, many - 1} {
		client, refused := q.Begin(remote(i))
		if refused != nil {
			t.Errorf("%d: got %+v", i, refused)
			continue
		}
		if _, refused := q.Begin(remote(i)); refused == nil {
			t.Errorf("%d: two requests are open", i)
		}
		q.End(client)
	}
	if got := q.Load().Open; got != 0 {
		t.Errorf("got %d open", got)
	}
}

func TestRequestsOfMany(t *testing.T) {
	t.Parallel()
	for _, q := range []*Requests{NewRequests(0, 0), NewRequests(100, 1000), NewRequests(0, 1000), NewRequests(100, 0)} {
		var all sync.WaitGroup
		for i := range 50 {
			remote := fmt.Sprintf("192.0.2.%d:80", i%3)
			all.Go(func() {
				for range 1000 {
					client, refused := q.Begin(remote)
					if refused != nil {
						t.Errorf("got %+v", refused)
						return
					}
					q.End(client)
				}
			})
		}
		all.Wait()
		if got := q.Load(); got != (Load{}) {
			t.Errorf("got %+v", got)
		}
	}
}

// TestRequestsWhileClientsAreForgotten counts right whoever is forgotten meanwhile.
func TestRequestsWhileClientsAreForgotten(t *testing.T) {
	t.Parallel()
	q := NewRequests(1, 0)
	var all sync.WaitGroup
	var open [8]atomic.Int64
	for i := range 8 {
		for range 2 {
			all.Go(func() {
				for j := range 20_000 {
					if client, refused := q.Begin(fmt.Sprintf("192.0.2.%d:%d", i, j%3)); refused == nil {
						if open[i].Add(1) > 1 {
							t.Error("two requests are open")
						}
						open[i].Add(-1)
						q.End(client)
					}
					p := q.part(networkOf(fmt.Sprintf("192.0.2.%d:80", i)))
					p.mu.Lock()
					p.enough = 0
					p.forget()
					p.mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	if got := q.Load().Open; got != 0 {
		t.Errorf("got %d open", got)
	}
}

// BenchmarkRequests is what a request costs, of one client and of many.
func BenchmarkRequests(b *testing.B) {
	for name, clients := range map[string]int{"one client": 1, "many clients": 250} {
		b.Run(name, func(b *testing.B) {
			q := NewRequests(2000, 10_000)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if client, refused := q.Begin(remotes[i%clients]); refused == nil {
						q.End(client)
					}
				}
			})
		})
	}
}

var remotes = func() (all []string) {
	for i := range 250 {
		all = append(all, fmt.Sprintf("192.0.2.%d:43210", i))
	}
	return all
}()
