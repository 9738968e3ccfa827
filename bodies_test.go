package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// talk sends a text to a server, and returns how the connection goes on.
func talk(t *testing.T, server *httptest.Server, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // for what would never come
	say(t, conn, text)
	return conn, bufio.NewReader(conn)
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// answered reads an answer with a body.
func answered(t *testing.T, in *bufio.Reader, body string) {
	t.Helper()
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != body {
		t.Errorf("got %.40q, %v, want %.40q", got, err, body)
	}
}

// TestBodiesThatNeverCome has clients that announce a body and send nothing, or
// not all of it.
func TestBodiesThatNeverCome(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 10_000)
	mux := http.NewServeMux()
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "short") })
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long) })
	mux.HandleFunc("/half", func(w http.ResponseWriter, r *http.Request) {
		connection := http.NewResponseController(w)
		_ = connection.SetReadDeadline(time.Now().Add(time.Minute))
		_, _ = io.ReadFull(r.Body, make([]byte, 4))
		_ = connection.SetReadDeadline(time.Time{})
		_, _ = io.WriteString(w, "half")
	})
	server := httptest.NewServer(boundBodies(time.Millisecond, mux))
	t.Cleanup(server.Close)
	for path, body := range map[string]string{"short": "short", "long": long, "half": "half"} {
		for name, rest := range map[string]string{
			"length":   "Content-Length: 100\r\n\r\nhalf",
			"chunks":   "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
			"expected": "Expect: 100-continue\r\nContent-Length: 100\r\n\r\nhalf",
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				t.Parallel()
				_, in := talk(t, server, fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: localhost\r\n%s", path, rest))
				if path == "half" && name == "expected" {
					answered(t, in, "") // 100 Continue
				}
				answered(t, in, body)
				if _, err := in.ReadByte(); err == nil || strings.Contains(err.Error(), "timeout") {
					t.Errorf("the connection goes on: got %v", err)
				}
			})
		}
	}
}

// TestBodiesThatCame has requests on one connection whose bodies are here at once:
// the bound of one holds neither for its handler nor for the next.
func TestBodiesThatCame(t *testing.T) {
	t.Parallel()
	const wait = time.Millisecond
	server := httptest.NewServer(boundBodies(wait, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			_, _ = io.Copy(io.Discard, r.Body)
			ctx, cancel := context.WithTimeout(r.Context(), 20*wait) // to let time pass is what this is about
			defer cancel()
			<-ctx.Done()
		}
		if err := r.Context().Err(); err != nil {
			_, _ = fmt.Fprint(w, err)
		}
	})))
	t.Cleanup(server.Close)
	conn, in := talk(t, server, "")
	for _, path := range []string{"/read", "/unread", "/read", "/unread"} {
		say(t, conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody")
		answered(t, in, "")
		say(t, conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		answered(t, in, "")
	}
}
