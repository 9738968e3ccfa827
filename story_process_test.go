package main_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestKilledInTheMiddle(t *testing.T) {
	eachDepot(t, func(t *testing.T, p *program, _ depot) {
		up := newUpstream(t, someFiles(30))
		reached, release := up.hold("file-7.bin")
		p.repository("r", up.URL+"/PULP_MANIFEST")
		id := p.queueSync("r", true)
		<-reached
		p.kill()
		if left, err := os.ReadDir(p.tmp); err != nil || len(left) > 0 {
			t.Errorf("temporary files left: %v, %v", left, err)
		}
		release()
		p.start()
		if got := p.follow(id); got.State != "COMPLETED" {
			t.Errorf("after the restart: got %+v %+v", got, got.Error)
		}
		if versions, units := p.versions("r"); versions != 1 || units != 30 {
			t.Errorf("after the restart: got %d versions and %d units", versions, units)
		}
	})
}

func TestStopIsGraceful(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(3))
		p.repository("r", up.URL+"/PULP_MANIFEST")
		p.sync("r", true)
		watching := p.subscribe(t.Context(), currentProtocol, `subscription { queue { counts { total } } }`, "")
		<-watching.frames
		p.stop()
		for range watching.frames { // it ends with the server
		}
		if !websocket.IsCloseError(watching.ended, websocket.CloseServiceRestart) {
			t.Errorf("the subscription ended by %v, want to be told to come back", watching.ended)
		}
	})
}

func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   string
		status int
		want   string
	}{
		{"serve --nope", 2, "ream serve: flag provided but not defined: -nope\n\"ream serve --help\" tells its flags.\n"},
		{"serve more", 2, "ream serve: unexpected argument \"more\"\n"},
		{"serve --workers=-1", 2, "ream serve: --workers: want 0 or more\n"},
		{"serve --workers=x", 2, `ream serve: invalid value "x" for flag -workers: parse error` + "\n"},
		{"serve --frame-interval=0s", 2, "ream serve: --frame-interval: want more than 0"},
		{"serve --client-stall=0s", 2, "ream serve: --client-stall: want more than 0"},
		{"serve --listen=nonsense", 1, "ream serve: --listen: want host:port, such as 127.0.0.1:8080\n"},
		{"serve --allow-anonymous --require-tokens", 2, "ream serve: --allow-anonymous and --require-tokens: want one of them\n"},
		{"serve --oidc-audience=ream", 2, "ream serve: --oidc-audience, --oidc-role: want --oidc-issuer as well\n"},
		{"serve --cors-origin=*", 2, "ream serve: --cors-origin: \"*\" is no origin: want one such as https://pages.example.org, without a path\n"},
		{"serve --log=loud", 1, "ream serve: --log loud: want debug, info, warn or error\n"},
		{"serve --help", 0, "Usage of ream serve:\n"},
		{"nope", 2, `ream: there is no command "nope"`},
	} {
		out, err := command(t, path, strings.Fields(tt.args)...)
		status := 0
		if e, ok := err.(*exec.ExitError); ok {
			status = e.ExitCode()
		}
		if status != tt.status || !strings.HasPrefix(out, tt.want) {
			t.Errorf("ream %s: got status %d and %s, want %d and %s", tt.args, status, out, tt.status, tt.want)
		}
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	up := newUpstream(t, someFiles(3))
	reached, _ := up.hold("file-2.bin")
	p.repository("r", up.URL+"/PULP_MANIFEST")
	p.queueSync("r", true)
	<-reached
	if err := p.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	p.log.await(t, "msg=stopping")
	limit := time.After(8 * time.Second) // less than what work may still take
	for {
		// The program may be a moment away from taking it, or have ended.
		_ = p.command.Process.Signal(syscall.SIGINT)
		select {
		case err := <-p.ended:
			p.command = nil
			if e, ok := err.(*exec.ExitError); !ok || e.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
				t.Errorf("the server ended by %v, want by the signal", err)
			}
			return
		case <-time.After(50 * time.Millisecond):
		case <-limit:
			t.Fatal("the server goes on")
		}
	}
}
