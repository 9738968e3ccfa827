package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reader is a client that reads as slowly as it is told to.
type reader struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// openReader asks a server for a path, and reads nothing: the kernel takes a
// megabyte or two for it.
func openReader(t *testing.T, p *program, path string, header ...string) *reader {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := &reader{t: t, conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}
	r.ask(path, header...)
	return r
}

func (r *reader) ask(path string, header ...string) {
	r.t.Helper()
	if _, err := fmt.Fprintf(r.conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, strings.Join(append(header, ""), "\r\n")); err != nil {
		r.t.Fatal(err)
	}
}

// head is the head of the answer.
func (r *reader) head() *http.Response {
	r.t.Helper()
	response, err := http.ReadResponse(r.in, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return response
}

// openFiles are how many files of a directory a program has open.
func (p *program) openFiles(dir string) (n int) {
	p.t.Helper()
	at := fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid)
	links, err := os.ReadDir(at)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(filepath.Join(at, link.Name())); err == nil && strings.HasPrefix(target, dir) {
			n++
		}
	}
	return n
}

// TestStalledReadersAreCutOff has clients that take nothing: of a large file, of
// the answers to many requests for a small one, and one that reads slowly, but
// goes on.
func TestStalledReadersAreCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, "--data", dir, "--content-stall", "3s")
	large := bytesOf(24 << 20)
	up := newUpstream(t, map[string][]byte{"large": large, "small": bytesOf(60_000)})
	p.repository("r", up.URL+"/PULP_MANIFEST")
	if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
		t.Fatalf("got %+v", got)
	}
	stored := filepath.Join(dir, "artifacts", "sha256")

	slow := openReader(t, p, "/content/r/large")
	if got := slow.head(); got.ContentLength != int64(len(large)) {
		t.Errorf("got %d bytes", got.ContentLength)
	}
	stalled := openReader(t, p, "/content/r/large")
	many := openReader(t, p, "/content/r/small")
	go func() { // until the server closes the connection, since it takes no more of them
		for range 1000 {
			if _, err := io.WriteString(many.conn, "GET /content/r/small HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	await(t, "both files are open", func() bool { return p.openFiles(stored) == 2 })
	buf := make([]byte, 32<<10)
	began, read := time.Now(), 0
	await(t, "those who take nothing are cut off", func() bool {
		n, err := io.ReadFull(slow.in, buf) // who reads on is not
		if err != nil {
			t.Fatalf("the slow one was cut off after %d bytes: %v", read, err)
		}
		read += n
		scraped, _ := p.scrape()
		return p.openFiles(stored) == 1 && scraped.value("ream_content_requests_open") == 1
	})
	t.Logf("cut off after %s, in which the slow one got %d bytes", time.Since(began), read)
	if rest, err := io.CopyN(io.Discard, slow.in, int64(len(large)-read)); err != nil {
		t.Errorf("the slow one: got %d bytes more, %v, want %d", rest, err, len(large)-read)
	}
	for name, r := range map[string]*reader{"stalled": stalled, "many": many} {
		if n, err := io.Copy(io.Discard, r.in); n > int64(len(large))/2 {
			t.Errorf("%s: got %d bytes before the connection was closed, %v", name, n, err)
		}
	}
}

// TestCrowds bounds the requests of one client and of all, who come through a
// proxy.
func TestCrowds(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--content-requests-per-client", "2", "--content-requests", "3", "--trusted-proxy", "127.0.0.1")...)
		up := newUpstream(t, map[string][]byte{"large": bytesOf(24 << 20), "small": []byte("small")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
			t.Fatalf("got %+v", got)
		}
		from := func(client int) string {
			return "X-Forwarded-For: " + netip.AddrFrom4([4]byte{192, 0, 2, byte(client)}).String()
		}
		takes := func(client int, path string, status int, message string) *reader {
			t.Helper()
			r := openReader(t, p, path, from(client))
			response := r.head()
			if response.StatusCode != status {
				t.Errorf("client %d: got %s, want %d", client, response.Status, status)
			}
			if status == 200 {
				return r
			}
			body, err := io.ReadAll(response.Body)
			if err != nil || !strings.Contains(string(body), message) || response.Header.Get("Retry-After") != "5" || response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("client %d: got %q %v, %v", client, body, response.Header, err)
			}
			return r
		}
		first := takes(1, "/content/r/large", 200, "")
		takes(1, "/content/r/large", 200, "")
		refused := takes(1, "/content/r/small", 429, "2 requests for content from your address are being answered already: try again in 5 seconds")
		takes(2, "/content/r/large", 200, "")
		takes(3, "/content/r/small", 503, "3 requests for content are being answered already")
		if got := p.get("/healthz"); len(got) == 0 {
			t.Error("the rest does not answer")
		}
		scraped, _ := p.scrape()
		if open, client, all := scraped.value("ream_content_requests_open"), scraped.value("ream_content_requests_refused_total", "of", "client"), scraped.value("ream_content_requests_refused_total", "of", "all"); open != 3 || client != 1 || all != 1 {
			t.Errorf("got %v open, %v and %v refused, want 3, 1 and 1", open, client, all)
		}
		first.conn.Close()
		await(t, "there is room again", func() bool {
			refused.ask("/content/r/small", from(1))
			response := refused.head()
			body, err := io.ReadAll(response.Body)
			return err == nil && response.StatusCode == 200 && string(body) == "small"
		})
	})
}

// TestBodiesThatNeverArrive has clients who announce a body and send none: they are
// answered, and their connections end, whether or not the server wants the body.
func TestBodiesThatNeverArrive(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	for _, tt := range []struct {
		path, media string
		status      int
	}{
		{"/content/r/f", "text/plain", 405}, {"/graphql", "text/plain", 415}, {"/api/v1/sync", "text/plain", 415}, {"/none", "text/plain", 404},
		{"/api/v1/sync", "application/json", 400},
	} {
		t.Run(tt.path+" "+tt.media, func(t *testing.T) {
			t.Parallel()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.address, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience)) // for what would never come
			if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n", tt.path, tt.media); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			response, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != tt.status {
				t.Errorf("got %s, %v, want %d", response.Status, err, tt.status)
			}
			if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("the connection goes on: got %v", err)
			}
		})
	}
}
