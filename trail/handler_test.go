package trail_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ream/trail"
)

// serve answers one request to a server behind a trail.Handler, and returns the
// answer with what was logged and what answered was told.
func serve(t *testing.T, h http.HandlerFunc, id string) (response *http.Response, body, logged string, told trail.Answer) {
	t.Helper()
	var lines bytes.Buffer
	log := slog.New(trail.Log(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})))
	answered := make(chan trail.Answer, 1)
	traced := trail.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.With("more", 1).WithGroup("inner").InfoContext(r.Context(), "at work")
		h(w, r)
	}), log, func(_ *http.Request, a trail.Answer) { answered <- a })
	server := httptest.NewUnstartedServer(traced)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/a/path?secret=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if id != "" {
		r.Header.Set(trail.Header, id)
	}
	response, err = http.DefaultClient.Do(r)
	if err == nil {
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	told = <-answered // after the last line is logged
	return response, body, lines.String(), told
}

func TestIDs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, sent string
		kept       bool
	}{
		{"none", "", false},
		{"a UUID", "018f4e1c-7d52-7b4e-9d0a-0d5a0a1b2c3d", true},
		{"of another system", "Root=1-67891233-abcdef012345678912345678", true},
		{"too long", strings.Repeat("a", 65), false},
		{"with a space", "a b", false},
		{"with a quote", `a"b`, false},
		{"not ASCII", "é", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seen := ""
			response, _, logged, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen = trail.ID(r.Context()) }, tt.sent)
			id := response.Header.Get(trail.Header)
			if (id == tt.sent) != tt.kept || len(id) < 16 && !tt.kept {
				t.Errorf("got %q for %q", id, tt.sent)
			}
			if seen != id {
				t.Errorf("the handler sees %q, the client %q", seen, id)
			}
			for line := range strings.Lines(logged) {
				if !strings.Contains(line, `request=`+id) && !strings.Contains(line, `request="`+id+`"`) {
					t.Errorf("no id %q in %s", id, line)
				}
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		status int
		bytes  int64
	}{
		{"nothing", func(http.ResponseWriter, *http.Request) {}, 200, 0},
		{"a body", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "abc") }, 200, 3},
		{"a status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, 0},
		{"an early hint", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(204) }, 204, 0},
		{"a file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }, 200, 100_000},
		{"flushed", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "a")
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		}, 200, 1},
		{"a panic", func(http.ResponseWriter, *http.Request) { panic(errors.New("oh")) }, 500, 0},
		{"another protocol", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			conn.Close()
		}, 101, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, body, logged, got := serve(t, tt.answer, "")
			if got.Status != tt.status || got.Bytes != tt.bytes || int64(len(body)) != tt.bytes {
				t.Errorf("got %+v with a body of %d bytes, want %d with %d bytes", got, len(body), tt.status, tt.bytes)
			}
			if !strings.Contains(logged, "path=/a/path") || strings.Contains(logged, "secret") {
				t.Errorf("logged %s", logged)
			}
		})
	}
}
