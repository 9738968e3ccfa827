package main_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ream/db/dbtest"
)

// startWorker runs a process that only works. Its log is complete once it ended.
func startWorker(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	return startWorkerIn(t, nil, args...)
}

// startWorkerIn is startWorker with more variables in its environment.
func startWorkerIn(t *testing.T, env []string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	command := exec.Command(path, append([]string{"worker", "--private-upstreams", "all"}, args...)...)
	command.Env = append(os.Environ(), env...)
	command.Stderr = log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if command.ProcessState == nil {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
		if strings.Contains(log.String(), "DATA RACE") {
			t.Errorf("the worker has a data race:\n%s", log)
		}
	})
	return command, log
}

// working is a worker as the API lists it.
type working struct {
	Host, Version string
	PID           int
	Slots         int
	HeartbeatAt   time.Time
	Tasks         struct{ Nodes []struct{ Kind string } }
}

func (p *program) workers() []working {
	p.t.Helper()
	return query[struct{ Queue struct{ Workers []working } }](p,
		`{ queue { workers { host version pid slots heartbeatAt tasks { nodes { kind } } } } }`, nil).Queue.Workers
}

func TestWorkersTakeOverFromEachOther(t *testing.T) {
	t.Parallel()
	shared := []string{"--data", t.TempDir(), "--database", dbtest.PostgresAddress(t)}
	p := start(t, append(shared, "--workers", "0")...)
	processes := map[int]*exec.Cmd{}
	logs := map[int]*bytes.Buffer{}
	for range 2 {
		command, log := startWorker(t, append(shared, "--workers", "3")...)
		processes[command.Process.Pid], logs[command.Process.Pid] = command, log
	}
	eventually(t, "both workers are there", func() bool { return len(p.workers()) == 2 })
	for _, w := range p.workers() {
		if processes[w.PID] == nil || w.Host == "" || w.Version == "" || w.Slots != 3 || time.Since(w.HeartbeatAt) > time.Minute {
			t.Errorf("worker: got %+v", w)
		}
	}

	up := newUpstream(t, someFiles(30))
	reached, release := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	up.set(func() {
		up.before = func(_ http.ResponseWriter, path string) bool {
			if strings.HasSuffix(path, "file-7.bin") && held.CompareAndSwap(false, true) {
				close(reached)
				<-release
			}
			return false
		}
	})
	t.Cleanup(func() { close(release) })
	p.repository("files", up.URL+"/PULP_MANIFEST")
	id := query[struct{ Mirror struct{ ID string } }](p, `mutation { mirror(input: {repositories: {names: ["files"]}}) { id } }`, nil).Mirror.ID
	<-reached
	killed := 0
	for _, w := range p.workers() {
		if len(w.Tasks.Nodes) > 0 {
			killed = w.PID
		}
	}
	if processes[killed] == nil {
		t.Fatalf("nobody runs the sync: %+v", p.workers())
	}
	if err := processes[killed].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	died := time.Now()
	_ = processes[killed].Wait()
	delete(processes, killed)
	if got := p.follow(id); got.State != "COMPLETED" {
		t.Errorf("the mirror: got %+v", got)
	}
	sync := query[struct {
		TaskGroup struct {
			Tasks struct {
				Nodes []struct {
					Attempt   int
					StartedAt time.Time
				}
			}
		}
	}](p, `query($id: ID!) { taskGroup(id: $id) { tasks { nodes { attempt startedAt } } } }`, map[string]any{"id": id}).TaskGroup.Tasks.Nodes[0]
	if took := sync.StartedAt.Sub(died); sync.Attempt != 2 || took > 30*time.Second {
		t.Errorf("the sync was taken over after %s at attempt %d, want within 30 s at 2", took, sync.Attempt)
	}
	if versions, units := p.versions("files"); versions != 1 || units != 30 {
		t.Errorf("got %d versions and %d units", versions, units)
	}
	response, err := http.Get(p.address + "/content/files/dir%201/file-7.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, up.files["dir 1/file-7.bin"]) {
		t.Errorf("what it served: got %d bytes, %s, %v", len(got), response.Status, err)
	}

	for pid, command := range processes {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := command.Wait(); err != nil || !strings.Contains(logs[pid].String(), "msg=stopping") {
			t.Errorf("the other worker ended: %v\n%s", err, logs[pid])
		}
	}
	if left := p.workers(); len(left) != 0 {
		t.Errorf("workers that are left: %+v", left)
	}
}

func TestWorkerRefusesWhatItCannotShare(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, tt := range []struct {
		args    []string
		message string
	}{
		{[]string{"--data", dir}, "--database: a SQLite file serves one process"},
		{[]string{"--data", dir, "--database", dir + "/other.db"}, "postgres://"},
		{[]string{"--data", dir, "--database", "postgres://localhost/x", "--workers", "0"}, "--workers: want 1 or more"},
		{[]string{"--data", dir, "--listen", ":80"}, "-listen"},
	} {
		out, err := command(t, path, append([]string{"worker"}, tt.args...)...)
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 || !strings.Contains(out, tt.message) {
			t.Errorf("%v: got %v: %s, want it to say %q", tt.args, err, out, tt.message)
		}
	}
}
