package fetch_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ream/fault"
	"ream/fetch"
)

// whole serves parts of a file as servers usually do.
func whole(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte(text)))
	}
}

func partial(contentRange, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", contentRange)
		w.WriteHeader(http.StatusPartialContent)
		w.Write([]byte(body))
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Range", "bytes 2-6/10")
		w.Header().Set("Content-Length", "5")
		w.WriteHeader(http.StatusPartialContent)
		w.Write([]byte("23"))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	for _, tt := range []struct {
		name  string
		steps []http.HandlerFunc
		want  string
		kind  fault.Kind
		whole bool // whether only the whole can be got
	}{
		{"well", []http.HandlerFunc{whole("0123456789")}, "23456", "", false},
		{"broken off", []http.HandlerFunc{cut, whole("0123456789")}, "23456", "", false},
		{"changed after it broke off", []http.HandlerFunc{cut, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"2"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte("abcdefghij")))
		}}, "", fault.Unavailable, true},
		{"no parts", []http.HandlerFunc{body("0123456789")}, "", fault.Unavailable, true},
		{"of an encoded file", []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			partial("bytes 2-6/10", "23456")(w, r)
		}}, "", fault.Unavailable, true},
		{"of a longer file", []http.HandlerFunc{whole("0123456789a")}, "", fault.BadInput, false},
		{"of a file of unknown length", []http.HandlerFunc{partial("bytes 2-6/*", "23456")}, "", fault.BadInput, false},
		{"another part", []http.HandlerFunc{partial("bytes 1-5/10", "12345")}, "", fault.BadInput, false},
		{"a longer part", []http.HandlerFunc{partial("bytes 2-6/10", "234567")}, "", fault.BadInput, false},
		{"beyond the end", []http.HandlerFunc{whole("0")}, "", fault.Unavailable, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, tt.steps...)
			s, _ := newSource(t, fetch.Settings{URL: up.URL})
			var got sink
			_, err := s.Get(t.Context(), fetch.Request{URL: up.URL, Size: 10, SHA256: "of the whole", Offset: 2, Length: 5}, &got)
			if tt.kind != "" {
				if !fault.Is(err, tt.kind) || errors.Is(err, fetch.ErrNoParts) != tt.whole {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || got.String() != tt.want {
				t.Errorf("got %q, %v", got.String(), err)
			}
			if asked := up.seen()[0].Header.Get("Range"); asked != "bytes=2-6" {
				t.Errorf("asked for %q", asked)
			}
		})
	}
}

func TestPartOfFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sourceOf(t, directory(t, dir), fetch.Settings{})
	var got sink
	if _, err := s.Get(t.Context(), fetch.Request{URL: "file://" + dir + "/f", Size: 10, Offset: 8, Length: 2}, &got); err != nil || got.String() != "89" {
		t.Errorf("got %q, %v", got.String(), err)
	}
	if _, err := s.Get(t.Context(), fetch.Request{URL: "file://" + dir + "/f", Size: 11, Offset: 8, Length: 2}, &got); !fault.Is(err, fault.BadInput) {
		t.Errorf("of a file of another size: got %v", err)
	}
}

// TestImpatience has requests that do not wait as long as the source would.
func TestImpatience(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, status(503), status(503), body("0"))
	s, _ := newSource(t, fetch.Settings{URL: up.URL})
	if _, err := s.Get(t.Context(), fetch.Request{URL: up.URL, Size: -1, Attempts: 2}, &sink{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("of two attempts: got %v", err)
	}
	for after, want := range map[string]fault.Kind{"3": "", "4": fault.Unavailable} {
		up := newUpstream(t, status(429, "Retry-After", after), body("0"))
		s, _ := newSource(t, fetch.Settings{URL: up.URL})
		_, err := s.Get(t.Context(), fetch.Request{URL: up.URL, Size: -1, Patience: 3 * time.Second}, &sink{})
		if want == "" && err != nil || want != "" && !fault.Is(err, want) {
			t.Errorf("told to wait for %s s: got %v", after, err)
		}
	}
}
