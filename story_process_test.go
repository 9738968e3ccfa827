package main_test

import (
	"os"
	"testing"

	"github.com/gorilla/websocket"
)

func TestKilledInTheMiddle(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
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
