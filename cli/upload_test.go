package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ream/cli/client"
)

func TestLocalFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{"pool/b", "pool/a/c", "pool/.hidden", "other/b"} {
		at := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(path), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "pool/b"), filepath.Join(dir, "other/link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, into, paths, want string
	}{
		{"a directory", "", "pool", ".hidden a/c b"},
		{"a directory, elsewhere", "x/y", "pool/", "x/y/.hidden x/y/a/c x/y/b"},
		{"files", "", "pool/a/c pool/b", "b c"},
		{"a link", "", "other/link", "link"},
		{"both", "", "pool other/link", ".hidden a/c b link"},
		{"the same path twice", "", "pool other", "both go to b"},
		{"nothing", "", "empty", "there are no files"},
		{"what is not there", "", "missing", "no such file"},
	} {
		var paths []string
		for path := range strings.FieldsSeq(c.paths) {
			paths = append(paths, filepath.Join(dir, path))
		}
		files, err := localFiles(paths, c.into)
		var got []string
		for _, f := range files {
			got = append(got, f.to)
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if text != c.want && (err == nil || !strings.Contains(text, c.want)) {
			t.Errorf("%s: got %q, want %q", c.name, text, c.want)
		}
	}
}

// TestUploadChecksPathsFirst refuses what the server would refuse in the end, and
// asks it nothing.
func TestUploadChecksPathsFirst(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) }))
	defer server.Close()
	at := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(at, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	env := Env{Stdout: &out, Stderr: &errs, Getenv: noVariables, CheckPaths: func(paths []string) error { return fmt.Errorf("not at %q", paths) }}
	if status := Main(t.Context(), "upload", []string{"--server", server.URL, "--into", "z", "own", at}, env); status != 1 || errs.String() != "ream upload: not at [\"z/a\"]\n" {
		t.Errorf("got %d %q", status, errs.String())
	}
}

func TestWhatMayPass(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{http.StatusConflict: true, http.StatusServiceUnavailable: true, http.StatusTooManyRequests: true,
		http.StatusForbidden: false, http.StatusRequestEntityTooLarge: false, http.StatusInsufficientStorage: false, 460: false} {
		if got := mayPass(&client.UploadError{Status: status}); got != want {
			t.Errorf("%d: got %t", status, got)
		}
	}
	if !mayPass(errors.New("connection reset")) {
		t.Error("the network may be well again")
	}
}
