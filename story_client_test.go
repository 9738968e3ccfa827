package main_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/cli/client"
)

// nodeVariable is the environment variable with the path of Node.js. Without
// it, no test runs clients that are written in JavaScript.
const nodeVariable = "REAM_TEST_NODE"

// TestClients runs the clients that front ends are written with. Each file of
// clienttest holds the tests of one, and has a server of its own with two
// repositories, r0 and r1. The server has no workers until it is restarted.
func TestClients(t *testing.T) {
	t.Parallel()
	node := os.Getenv(nodeVariable)
	if node == "" {
		t.Skip(nodeVariable + " is unset")
	}
	files, err := filepath.Glob("clienttest/*.test.js")
	if err != nil || len(files) == 0 {
		t.Fatalf("clienttest: %d tests, %v", len(files), err)
	}
	if _, err := os.Stat("clienttest/node_modules"); err != nil {
		t.Fatalf("%v: run make clients", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".test.js"), func(t *testing.T) {
			t.Parallel()
			p := start(t, "--data", t.TempDir(), "--workers", "0")
			s := &stage{t: t, program: p, ups: p.repositories(2), front: newFront(t, p.address), release: map[string]func(){}}
			control := httptest.NewServer(s)
			t.Cleanup(control.Close)
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			run := exec.CommandContext(ctx, node, "--test", "--test-timeout="+strconv.FormatInt(patience.Milliseconds(), 10), file)
			run.Env = append(os.Environ(), "REAM_SERVER="+s.front.address, "REAM_STAGE="+control.URL, "TMPDIR="+t.TempDir())
			out, err := run.CombinedOutput()
			control.Close() // so that nothing below meets a restart
			if err != nil {
				t.Errorf("%s: %v\n%s\nThe server:\n%s", file, err, out, p.log)
			}
		})
	}
}

// TestGeneratedClient uses the types that genqlient made of the union, which
// the commands use as well.
func TestGeneratedClient(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		p.repositories(2)
		c, err := client.New(p.address, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sync := func(selector client.RepositorySelector) client.SyncSyncTaskOrGroup {
			t.Helper()
			answer, err := client.Sync(t.Context(), c, client.SyncInput{Repositories: selector, Mirror: true, Priority: client.PriorityNormal})
			if err != nil {
				t.Fatal(err)
			}
			return answer.Sync
		}
		var ids []string
		switch work := sync(client.RepositorySelector{Names: []string{"r0"}}).(type) {
		case *client.SyncSyncTask:
			ids = append(ids, work.Id)
		default:
			t.Errorf("one repository: got %T, want a task", work)
		}
		switch work := sync(client.RepositorySelector{All: true}).(type) {
		case *client.SyncSyncTaskGroup:
			ids = append(ids, work.Id)
		default:
			t.Errorf("all repositories: got %T, want a group", work)
		}
		for i, id := range ids {
			var last client.Work
			if err := c.Watch(t.Context(), id, func(w client.Work) error { last = w; return nil }); err != nil {
				t.Fatal(err)
			}
			if want := []string{"Task", "TaskGroup"}[i]; last.GetTypename() != want || last.GetState() != client.TaskStateCompleted || last.GetCounts().Completed != i+1 {
				t.Errorf("%s: got %T in state %s, %+v", id, last, last.GetState(), last.GetCounts())
			}
			found, err := client.FindWork(t.Context(), c, id)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := found.TaskOrGroup.(client.Work); !ok || got.GetTypename() != last.GetTypename() || got.GetState() != last.GetState() {
				t.Errorf("%s: found %T", id, found.TaskOrGroup)
			}
		}
	})
}

// stage lets a client's test do to its server what clients cannot: POST /hold/N
// puts a new file into the upstream of repository N that is held back until
// /release/N, and /restart starts the server anew, with workers.
type stage struct {
	t *testing.T
	*program
	ups   []*upstream
	front *front

	mu      sync.Mutex
	holds   int
	release map[string]func()
}

// ServeHTTP does one thing and answers when it is done.
func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	act, number, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	n, _ := strconv.Atoi(number)
	switch {
	case act == "hold" && n < len(s.ups):
		s.holds++
		file := fmt.Sprintf("held-%d.bin", s.holds)
		s.ups[n].add(file, []byte(file))
		_, s.release[number] = s.ups[n].hold(file)
	case act == "release" && s.release[number] != nil:
		s.release[number]()
	case act == "restart":
		if err := s.restart(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	default:
		http.NotFound(w, r)
	}
}

// restart is for other goroutines than the test's, which may not end it.
func (s *stage) restart() error {
	ended := make(chan error, 1)
	go func() {
		err := errors.New("the server did not restart")
		defer func() { ended <- err }()
		s.stop()
		s.args = s.args[:len(s.args)-2]
		s.start()
		s.front.lead(s.address)
		err = nil
	}()
	return <-ended
}

// front is an address that stays while servers behind it come and go. Whoever
// connects while there is none is cut off.
type front struct {
	address string // http://host:port

	mu     sync.Mutex
	server string // host:port
}

func newFront(t *testing.T, server string) *front {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{address: fmt.Sprintf("http://%s", listener.Addr())}
	f.lead(server)
	ctx, cancel := context.WithCancel(t.Context())
	var lines sync.WaitGroup
	lines.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			lines.Go(func() { f.join(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		cancel()
		lines.Wait()
	})
	return f
}

// lead makes new connections lead to another server.
func (f *front) lead(server string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server = strings.TrimPrefix(server, "http://")
}

// join passes on what client and server say until one of them is gone.
func (f *front) join(ctx context.Context, client net.Conn) {
	defer client.Close()
	f.mu.Lock()
	address := f.server
	f.mu.Unlock()
	server, err := (&net.Dialer{Timeout: time.Minute}).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // however it ends, the other side is told
		to.Close()
	}
	both.Go(func() { pass(server, client) })
	pass(client, server)
	both.Wait()
}
