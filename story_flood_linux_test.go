package main_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestIdleFloods has one client hold more connections than the server may have
// files open, while another one goes on.
func TestIdleFloods(t *testing.T) {
	t.Parallel()
	p := &program{t: t, under: []string{"sh", "-c", `ulimit -n 256 && exec "$0" "$@"`}, args: []string{"--data", t.TempDir()}, tmp: t.TempDir()}
	p.start()
	t.Cleanup(p.kill)
	connect := func(from string) *reader {
		t.Helper()
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(p.address, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return &reader{t: t, conn: conn, in: bufio.NewReader(conn)}
	}
	flood := func() {
		for i := range 300 {
			r := connect("127.0.0.1")
			path := []string{"", "/content/none", "/readyz"}[i%3]
			if path == "" {
				continue
			}
			r.ask(path)
			if _, err := http.ReadResponse(r.in, nil); err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
		}
	}
	flood()
	calm := connect("127.0.0.2")
	answered := func(path string, status int) {
		t.Helper()
		calm.ask(path)
		response := calm.head()
		if response.StatusCode != status || response.Close {
			t.Errorf("%s: got %s, and the connection stays: %t", path, response.Status, !response.Close)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
	}
	answered("/content/none", 404)
	flood()
	answered("/content/none", 404)
	answered("/readyz", 200)
	scraped, _ := p.scrape()
	if limit, open, closed := scraped.value("ream_connections_limit"), scraped.value("ream_connections_open"), scraped.value("ream_connections_closed_for_others_total"); limit != 192 || open > limit || closed < 2*300+1-limit {
		t.Errorf("got %v of %v connections open, %v closed", open, limit, closed)
	}
	p.log.await(t, "there are 192 connections, as many as there may be")
	if log := p.log.String(); strings.Contains(log, "too many open files") {
		t.Errorf("logged\n%s", log)
	}
}
