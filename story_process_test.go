package main_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestKilledInTheMiddle(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(30))
		reached, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		up.before = func(_ http.ResponseWriter, path string) bool {
			if strings.HasSuffix(path, "file-7.bin") {
				once.Do(func() { close(reached) })
				<-release
			}
			return false
		}
		p.repository("r", up.URL+"/PULP_MANIFEST")
		id := p.queueSync("r", true)
		<-reached
		p.kill()
		close(release)
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
		watching := p.subscribe(t.Context(), `subscription { queue { counts { total } } }`, "")
		<-watching
		p.stop()
		for range watching { // it ends with the server
		}
	})
}
