package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestUpstreamKeepsItsManifests fetches all that the demo mirrors.
func TestUpstreamKeepsItsManifests(t *testing.T) {
	t.Parallel()
	source, stop, err := newUpstream(collections(), 0).serve()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	files, bytes := 0, 0
	for _, c := range collections() {
		base := source + "/" + c.name + "/"
		manifest, err := get(t.Context(), base+manifestName)
		if err != nil {
			t.Fatal(err)
		}
		for entry := range strings.Lines(string(manifest)) {
			path, _, _ := strings.Cut(entry, ",")
			body, err := get(t.Context(), base+path)
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%s,%x,%d\n", path, sha256.Sum256(body), len(body)); entry != want {
				t.Errorf("%s: got the line %q, want %q", c.name, entry, want)
			}
			files, bytes = files+1, bytes+len(body)
		}
	}
	if files != 660 || bytes < 40_000_000 || bytes > 80_000_000 {
		t.Errorf("got %d files of %d bytes, want 660 of about 60 MB", files, bytes)
	}
	if _, err := get(t.Context(), source+"/docs/none"); err == nil {
		t.Error("a file that is in no manifest is served")
	}
}

func TestUpstreamResumes(t *testing.T) {
	t.Parallel()
	up := newUpstream([]collection{{"c", 1}}, 1<<30)
	server := httptest.NewServer(up)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/c/00/c-000.bin", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Range", "bytes=100-")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	whole := contents("/c/00/c-000.bin", up.sizes["/c/00/c-000.bin"])
	if answer.StatusCode != http.StatusPartialContent || string(body) != string(whole[100:]) {
		t.Errorf("got %s with %d bytes, want the %d after the first 100", answer.Status, len(body), len(whole)-100)
	}
}

func TestPacerSharesTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{perSecond: 1000}
		start := time.Now()
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if err := p.wait(t.Context(), 60_000); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if took := time.Since(start); took != 3*time.Minute {
			t.Errorf("180,000 bytes at 1,000 a second: got %s, want 3 minutes", took)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf("a,%x,1\nb,%x,3\n", sha256.Sum256([]byte("x")), sha256.Sum256([]byte("yyy")))
	tests := []struct {
		name     string
		manifest string
		wrong    string // in the message
	}{
		{"as published", good, ""},
		{"other bytes", fmt.Sprintf("b,%x,3\n", sha256.Sum256([]byte("yyz"))), "but the manifest says 3 of"},
		{"another size", fmt.Sprintf("b,%x,4\n", sha256.Sum256([]byte("yyy"))), "has 3 bytes"},
		{"a missing file", fmt.Sprintf("c,%x,4\n", sha256.Sum256([]byte("yyy"))), "404 Not Found"},
		{"an empty manifest", "", "is empty"},
		{"no manifest", "<html>\n", "want path,sha256,size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			served := map[string]string{"/r/PULP_MANIFEST": tt.manifest, "/r/a": "x", "/r/b": "yyy"}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, ok := served[r.URL.Path]
				if !ok {
					http.NotFound(w, r)
					return
				}
				fmt.Fprint(w, body)
			}))
			defer server.Close()
			got, err := check(t.Context(), server.URL+"/r/")
			if tt.wrong == "" {
				if err != nil || got != server.URL+"/r/b" {
					t.Errorf("got %s and error %v", got, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("got error %v, want one with %q", err, tt.wrong)
			}
		})
	}
}

func TestDemoTellsThatTheServerDoesNotStart(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	var used string
	env := Env{Stdout: &out, Stderr: &errs, Getenv: noVariables, Start: func(_ context.Context, dir string) (string, func() error, error) {
		used = dir
		return "", nil, errors.New("the disk is full")
	}}
	if status := Main(t.Context(), "demo", []string{"--exit"}, env); status != 1 || errs.String() != "ream demo: start the server: the disk is full\n" {
		t.Errorf("got status %d and %q", status, errs.String())
	}
	if _, err := os.Stat(used); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory %s is left: %v", used, err)
	}
}
