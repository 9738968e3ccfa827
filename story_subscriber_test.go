package main_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// repositories creates as many repositories, each with an upstream of its own.
func (p *program) repositories(n int) []*upstream {
	p.t.Helper()
	all := make([]*upstream, n)
	for i := range all {
		all[i] = newUpstream(p.t, someFiles(3))
		p.repository(fmt.Sprintf("r%d", i), all[i].URL+"/PULP_MANIFEST")
	}
	return all
}

func TestEveryFrameIsExact(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := p.repositories(8)
		up[3].set(func() { up[3].manifest = "broken" })
		id := query[struct{ Mirror struct{ ID string } }](p, `mutation { mirror(input: {repositories: {all: true}}) { id } }`, nil).Mirror.ID
		var watching sync.WaitGroup
		for _, protocol := range []string{currentProtocol, olderProtocol, serverEvents} {
			s := p.subscribe(t.Context(), protocol, countsOfGroup, id)
			watching.Go(func() {
				if last := checkCounts(t, s, 24); last.Completed != 21 || last.Failed != 1 || last.Skipped != 2 {
					t.Errorf("%s: at the end: got %+v, want 21 completed, 1 failed and 2 skipped", protocol, last)
				}
			})
		}
		watching.Wait()
	})
}

func TestSubscriberJoinsLate(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		reached, release := p.repositories(3)[1].hold("file-2.bin")
		id := p.queueGroup()
		early := p.subscribe(t.Context(), currentProtocol, countsOfGroup, id)
		<-reached
		for next[struct{ TaskGroupCounts counts }](t, early).TaskGroupCounts.Completed < 2 {
		}
		var late []*subscription
		for _, protocol := range []string{currentProtocol, olderProtocol, serverEvents} {
			s := p.subscribe(t.Context(), protocol, countsOfGroup, id)
			if first := next[struct{ TaskGroupCounts counts }](t, s).TaskGroupCounts; first.Completed != 2 || first.Running != 1 || first.Total != 3 {
				t.Errorf("%s: the first frame is %+v, want the present one", protocol, first)
			}
			late = append(late, s)
		}
		release()
		for _, s := range append(late, early) {
			checkCounts(t, s, 3)
		}
	})
}

func TestSubscriberJoinsAfterTheEnd(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		p.repositories(2)
		group, single := p.queueGroup(), p.queueSync("r0", false)
		p.follow(group)
		p.follow(single)
		const work = `subscription($id: ID!) { taskOrGroup(id: $id) { ... on Work { id state finished counts { total finished revision } } } }`
		eachProtocol(t, func(t *testing.T, protocol string) {
			for _, id := range []string{group, single} {
				s := p.subscribe(t.Context(), protocol, work, id)
				f := next[struct {
					TaskOrGroup struct {
						ID, State string
						Finished  bool
						Counts    counts
					}
				}](t, s).TaskOrGroup
				if f.ID != id || f.State != "COMPLETED" || !f.Finished || f.Counts.Total == 0 || f.Counts.Finished != f.Counts.Total {
					t.Errorf("%s: got %+v", id, f)
				}
				if frame, more := <-s.frames; more || s.ended != nil {
					t.Errorf("%s: after the final frame: got %s, %v, want the end", id, frame, s.ended)
				}
			}
		})
	})
}

func TestEverySubscription(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		p.repositories(2)
		group, single := p.queueGroup(), p.queueSync("r0", false)
		p.follow(group)
		p.follow(single)
		eachProtocol(t, func(t *testing.T, protocol string) {
			for _, c := range []struct{ document, id, want string }{
				{`subscription($id: ID!) { task(id: $id) { kind state } }`, single, `{"task":{"kind":"repository.sync","state":"COMPLETED"}}`},
				{`subscription($id: ID!) { taskGroup(id: $id) { state counts { completed } tasks { totalCount } } }`, group, `{"taskGroup":{"state":"COMPLETED","counts":{"completed":2},"tasks":{"totalCount":2}}}`},
				{`subscription($id: ID!) { taskOrGroup(id: $id) { __typename } }`, single, `{"taskOrGroup":{"__typename":"Task"}}`},
				{`subscription($id: ID!) { taskGroupCounts(id: $id) { total completed } }`, group, `{"taskGroupCounts":{"total":2,"completed":2}}`},
			} {
				s := p.subscribe(t.Context(), protocol, c.document, c.id)
				var frames []string
				for frame := range s.frames {
					frames = append(frames, string(frame))
				}
				if len(frames) != 1 || frames[0] != c.want || s.ended != nil {
					t.Errorf("%s: got %q, then %v, want %s alone", c.document, frames, s.ended, c.want)
				}
			}
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			queue := next[struct {
				Queue struct {
					Counts  counts
					Workers []struct{ ID string }
				}
			}](t, p.subscribe(ctx, protocol, `subscription { queue { counts { total completed } workers { id } } }`, "")).Queue
			if queue.Counts.Total != 3 || queue.Counts.Completed != 3 || len(queue.Workers) != 1 {
				t.Errorf("queue: got %+v", queue)
			}
			for _, field := range []string{`task(id: "task-99") { id }`, `taskGroup(id: "group-99") { id }`, `taskOrGroup(id: "x") { __typename }`, `taskGroupCounts(id: "task-1") { total }`, `repository(id: "repository-99") { id }`, `distribution(id: "distribution-99") { id }`} {
				s := p.subscribe(t.Context(), protocol, `subscription { `+field+` }`, "")
				if frame, more := <-s.frames; more || s.ended == nil || !strings.Contains(s.ended.Error(), "NOT_FOUND") {
					t.Errorf("%s: got %s, %v, want NOT_FOUND", field, frame, s.ended)
				}
			}
		})
	})
}

func TestSubscriberLeaves(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--log", "debug")...)
		_, release := p.repositories(1)[0].hold("file-2.bin")
		var stay []*subscription
		// Each leaves a group of its own, to tell the lines of the log apart. The
		// second group waits for the first one's repository, and so on.
		leaves := func(protocol string, leave func(t *testing.T, id string)) {
			id := p.queueGroup()
			stays := p.subscribe(t.Context(), currentProtocol, countsOfGroup, id)
			next[struct{ TaskGroupCounts counts }](t, stays)
			stay = append(stay, stays)
			leave(t, id)
			line := p.log.await(t, `msg="a subscriber left"`, "topic="+id+" ")
			if want := fmt.Sprintf("subscribers=%d", len(stay)); !strings.Contains(line, want) {
				t.Errorf("%s: got %s, want %s", protocol, line, want)
			}
		}
		for _, protocol := range []string{currentProtocol, olderProtocol, serverEvents} {
			leaves(protocol, func(t *testing.T, id string) {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				next[struct{ TaskGroupCounts counts }](t, p.subscribe(ctx, protocol, countsOfGroup, id))
			})
		}
		for protocol, words := range map[string][2]string{currentProtocol: {"subscribe", "complete"}, olderProtocol: {"start", "stop"}} {
			leaves(protocol, func(t *testing.T, id string) {
				conn := dial(t, p, protocol)
				say := fmt.Sprintf(`{"type":"%s","id":"1","payload":{"query":"subscription { taskGroup(id: \"%s\") { id } }"}}`, words[0], id)
				talk(t, conn, `{"type":"connection_init"}`, "ack", say, id, `{"type":"`+words[1]+`","id":"1"}`)
			})
		}
		release()
		for _, s := range stay {
			checkCounts(t, s, 1)
		}
	})
}

// talk says what is JSON, and reads on until the server says anything else.
func talk(t *testing.T, conn *websocket.Conn, talk ...string) {
	t.Helper()
	for _, words := range talk {
		if strings.HasPrefix(words, "{") {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(words)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for heard := ""; !strings.Contains(heard, words); {
			_, text, err := conn.ReadMessage()
			if err != nil {
				t.Fatalf("waiting for %s: %v", words, err)
			}
			heard = string(text)
		}
	}
}

func TestSubscriberReadsNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--log", "debug", "--client-stall", "500ms")...)
		_, release := p.repositories(10)[0].hold("file-2.bin")
		narrow := func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				err = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			}
			return conn, err
		}
		// The answer holds the alias once for each of ten tasks: more than fits
		// into what lies between a server and a client that does not read.
		long := func(id string, length int) string {
			return fmt.Sprintf(`subscription { taskGroup(id: \"%s\") { tasks { nodes { a%s: name } } } }`, id, strings.Repeat("a", length))
		}

		socket := p.queueGroup()
		others := p.subscribe(t.Context(), currentProtocol, countsOfGroup, socket)
		var reading sync.WaitGroup
		reading.Go(func() { checkCounts(t, others, 10) })
		dialer := websocket.Dialer{NetDialContext: narrow, Subprotocols: []string{currentProtocol}}
		conn, _, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(p.address, "http")+"/graphql", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		talk(t, conn, `{"type":"connection_init"}`, "ack")
		for i := 0; err == nil && i < 12; i++ {
			say := fmt.Sprintf(`{"type":"subscribe","id":"%d","payload":{"query":"%s"}}`, i, long(socket, 100_000))
			err = conn.WriteMessage(websocket.TextMessage, []byte(say)) // until the server has had enough
		}
		p.log.await(t, `msg="a subscriber left"`, "topic="+socket+" ", "subscribers=1")
		if err := conn.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for err == nil { // it was cut, not left half open
			err = conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`))
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection is still open")
		}

		events := p.queueGroup()
		client := http.Client{Transport: &http.Transport{DialContext: narrow}}
		post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.address+"/graphql", strings.NewReader(`{"query":"`+long(events, 900_000)+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		post.Header.Set("Content-Type", "application/json")
		post.Header.Set("Accept", serverEvents)
		response, err := client.Do(post)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		p.log.await(t, `msg="a subscriber left"`, "topic="+events+" ", "subscribers=1")

		release()
		reading.Wait()
	})
}
