package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// counting serves files and counts the requests for each that is no manifest.
type counting struct {
	address string // http://host:port
	asked   atomic.Int64
}

// startCounting serves the files below root until the run ends.
func (b *bench) startCounting(ctx context.Context, root string) (*counting, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counting{address: "http://" + listener.Addr().String()}
	files := http.FileServer(http.Dir(root))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if filepath.Base(r.URL.Path) != "PULP_MANIFEST" {
			c.asked.Add(1)
		}
		files.ServeHTTP(w, r)
	})}
	context.AfterFunc(ctx, func() { server.Close() })
	go server.Serve(listener) //nolint:errcheck // it ends with the run
	return c, nil
}

// onDemand measures many clients who ask at once for a large file that is not
// here yet.
func (b *bench) onDemand(ctx context.Context, d database) error {
	const clients = 200
	size := b.few(100, 10) << 20
	f, err := b.makeFiles(1, size)
	if err != nil {
		return err
	}
	up, err := b.startCounting(ctx, f.dir)
	if err != nil {
		return err
	}
	r, err := b.startReam(ctx, d)
	if err != nil {
		return err
	}
	if err := r.createRepository(ctx, "large", up.address+"/PULP_MANIFEST", 16); err != nil {
		return err
	}
	var policy any
	if err := r.query(ctx, &policy, `mutation { updateRemote(input: {id: "remote-1", policy: ON_DEMAND}) { id } }`, nil); err != nil {
		return err
	}
	if _, err := r.mirror(ctx, "large"); err != nil {
		return err
	}
	before, err := r.peak()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := readAtOnce(ctx, r.address+"/content/large/"+f.paths[0], clients, int64(size)); err != nil {
		return err
	}
	took := time.Since(began)
	peak, err := r.peak()
	if err != nil {
		return err
	}
	var requests, memory, seconds sample
	requests.add(float64(up.asked.Load()))
	memory.add(peak)
	seconds.addDuration(took)
	b.progress("%s: %d clients had the file in %s; memory %s before, %s at most", d, clients, inSeconds(took.Seconds()), inBytes(before), inBytes(peak))
	b.add(row{measure: fmt.Sprintf("%d clients at once, a file of %s on demand: requests upstream, %s", clients, inBytes(float64(size)), d),
		unit: perCount, ream: requests, peer: "limit", than: sample{1}, goals: []goal{atMost(1)}})
	b.add(row{measure: fmt.Sprintf("… until all have it, %s", d), unit: inSeconds, ream: seconds})
	b.add(row{measure: fmt.Sprintf("… its peak memory, %s", d), unit: inBytes, ream: memory, peer: "limit", than: sample{200e6}, goals: []goal{atMost(1)}})
	return r.stop()
}

// readAtOnce has so many clients read a file to its end.
func readAtOnce(ctx context.Context, address string, clients int, size int64) error {
	transport := &http.Transport{DisableKeepAlives: true}
	failed := make(chan error, clients)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			if err != nil {
				failed <- err
				return
			}
			response, err := transport.RoundTrip(request)
			if err != nil {
				failed <- err
				return
			}
			defer response.Body.Close()
			n, err := io.Copy(io.Discard, response.Body)
			if err == nil && (n != size || response.StatusCode != http.StatusOK) {
				err = fmt.Errorf("a client got %s and %d bytes of %d", response.Status, n, size)
			}
			if err != nil {
				failed <- err
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed
}
