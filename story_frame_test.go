package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestFinalFrameMeetsTheSubscriber lets subscribers connect at any moment around
// the end of a short group.
func TestFinalFrameMeetsTheSubscriber(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		works := start(t, args...)
		watch := []*program{works}
		if len(args) > 2 { // on PostgreSQL others watch too
			watch = append(watch, start(t, append(args, "--workers", "0")...))
		}
		works.repositories(2)
		works.follow(works.queueGroup()) // from here on upstream has nothing new
		const groups, subscribers = 25, 4
		late := 0
		for range groups {
			id := works.queueGroup()
			var mu sync.Mutex
			var watching sync.WaitGroup
			for i := range subscribers {
				for _, protocol := range []string{currentProtocol, serverEvents} {
					time.Sleep(rand.N(20 * time.Millisecond)) // as chance will have it
					s := watch[i%len(watch)].subscribe(t.Context(), protocol, countsOfGroup, id)
					watching.Go(func() {
						last, frames := checkFrames(t, s, 2)
						if last.Completed != 2 {
							t.Errorf("%s: at the end: got %+v", protocol, last)
						}
						mu.Lock()
						defer mu.Unlock()
						if frames == 1 {
							late++
						}
					})
				}
			}
			watching.Wait()
		}
		t.Logf("%d of %d subscribers were told of the end alone", late, groups*subscribers*2)
	})
}

// TestFinalFrameAfterARestart stops or kills the server that subscribers are
// connected to. They get the final frame when they have connected again, to the
// same server or to another one.
func TestFinalFrameAfterARestart(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, args...)
		again := []*program{p}
		if len(args) > 2 {
			again = append(again, start(t, append(args, "--workers", "0")...))
		}
		up := p.repositories(2)[1]
		for i, end := range []func(release func()){
			func(release func()) {
				p.signal(syscall.SIGTERM)
				p.log.await(t, "msg=stopping")
				release()
				p.awaitEnd()
			},
			func(release func()) { p.kill(); release() },
		} {
			path := fmt.Sprintf("new-%d.bin", i)
			up.add(path, []byte(path))
			reached, release := up.hold(path)
			id := p.queueGroup()
			<-reached
			var before []*subscription
			for _, protocol := range []string{currentProtocol, serverEvents} {
				s := p.subscribe(t.Context(), protocol, countsOfGroup, id)
				next[struct{ TaskGroupCounts counts }](t, s)
				before = append(before, s)
			}
			var ending sync.WaitGroup
			for _, s := range before {
				ending.Go(func() {
					for frame := range s.frames {
						var f struct{ TaskGroupCounts counts }
						if err := json.Unmarshal(frame, &f); err != nil || f.TaskGroupCounts.Unfinished == 0 {
							t.Errorf("before the restart came %s, %v", frame, err)
						}
					}
					if s.ended == nil {
						t.Error("before the restart the subscription is complete, but the group is not")
					}
				})
			}
			end(func() { ending.Wait(); release() })
			p.start()
			for _, p := range again {
				for _, protocol := range []string{currentProtocol, serverEvents} {
					if last := checkCounts(t, p.subscribe(t.Context(), protocol, countsOfGroup, id), 2); last.Completed != 2 {
						t.Errorf("%s: at the end: got %+v", protocol, last)
					}
				}
			}
		}
	})
}
