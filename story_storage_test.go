package main_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ream/blob/blobtest"
)

// TestMirrorIntoS3 mirrors into a bucket and serves from there, also after the
// server was killed and started again.
func TestMirrorIntoS3(t *testing.T) {
	t.Parallel()
	s3 := blobtest.StartS3(t)
	files := someFiles(20)
	files["large.bin"] = bytes.Repeat([]byte("large"), 100_000)
	up := newUpstream(t, files)
	for name, extra := range map[string]string{"through the server": "", "from the bucket": "&redirect=true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "--data", t.TempDir(), "--storage", s3.Location(s3.Bucket(t))+extra)
			p.repository("files", up.URL+"/PULP_MANIFEST")
			if last := p.follow(p.mirror("files")); last.State != "COMPLETED" {
				t.Fatalf("mirror: got %+v", last)
			}
			p.kill()
			p.start()
			for path, want := range files {
				response, err := http.Get(p.address + (&url.URL{Path: "/content/files/" + path}).EscapedPath())
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: got %d bytes, status %s, %v, want %d", path, len(got), response.Status, err, len(want))
				}
				elsewhere := strings.HasPrefix(response.Request.URL.String(), s3.Endpoint)
				if want := extra != "" && path == "large.bin"; elsewhere != want {
					t.Errorf("%s: came from the bucket: got %t, want %t", path, elsewhere, want)
				}
			}
			whole := files["large.bin"]
			etag := `"` + digest(whole) + `"`
			for _, tt := range []struct {
				method string
				header []string
				status int
				want   []byte
				sent   bool // to the bucket, if the server does so
			}{
				{"HEAD", nil, 200, nil, false},
				{"GET", []string{"Range", "bytes=100-199999"}, 206, whole[100:200_000], true},
				{"GET", []string{"Range", "bytes=-7"}, 206, whole[len(whole)-7:], true},
				{"GET", []string{"Range", "bytes=400000-"}, 206, whole[400_000:], true},
				{"GET", []string{"Range", "bytes=5-9", "If-Range", etag}, 206, whole[5:10], false},
				{"GET", []string{"Range", "bytes=5-9", "If-Range", `"another"`}, 200, whole, false},
				{"GET", []string{"If-None-Match", etag}, 304, nil, false},
				{"GET", []string{"If-None-Match", `"another"`}, 200, whole, false},
				{"GET", []string{"If-Match", `"another"`}, 412, nil, false},
			} {
				response, got, err := p.ask(tt.method, "/content/files/large.bin", tt.header...)
				if err != nil || response.StatusCode != tt.status || !bytes.Equal(got, tt.want) || tt.method == "HEAD" && response.ContentLength != int64(len(whole)) {
					t.Errorf("%s with %q: got %s, %d bytes, %v, want %d and %d bytes", tt.method, tt.header, response.Status, len(got), err, tt.status, len(tt.want))
				}
				if elsewhere := strings.HasPrefix(response.Request.URL.String(), s3.Endpoint); elsewhere != (tt.sent && extra != "") {
					t.Errorf("%s with %q: came from the bucket: %t", tt.method, tt.header, elsewhere)
				}
			}
		})
	}
}

// TestStorageThatCannotBeUsed starts the server with storages that it cannot
// use: it says why, without secrets, and what to do.
func TestStorageThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	s3 := blobtest.StartS3(t)
	bucket := s3.Bucket(t)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nothing := []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_EC2_METADATA_DISABLED=true", "HOME=" + t.TempDir()}
	tests := map[string]struct {
		storage string
		env     []string
		want    string
	}{
		"a file":             {storage: file, want: "not a directory"},
		"below a file":       {storage: filepath.Join(file, "artifacts"), want: "not a directory"},
		"no bucket":          {storage: s3.Location("missing"), want: "lacks its bucket: create it"},
		"no credentials":     {storage: s3.Location(bucket), env: nothing, want: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		"wrong credentials":  {storage: s3.Location(bucket), env: []string{"AWS_SECRET_ACCESS_KEY=hush"}, want: "does not accept the credentials"},
		"no rights":          {storage: s3.Location(bucket), env: []string{"AWS_ACCESS_KEY_ID=stranger", "AWS_SECRET_ACCESS_KEY=stranger"}, want: "does not allow it"},
		"a secret in it":     {storage: "s3://id:hush@" + bucket, want: "credentials do not belong into the URL"},
		"another kind":       {storage: "gs://" + bucket, want: "--storage: want s3://bucket/prefix"},
		"an unknown setting": {storage: s3.Location(bucket) + "&colour=red", want: `"colour" is unknown`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.CommandContext(t.Context(), path, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--storage", tt.storage)
			command.Env = append(os.Environ(), tt.env...)
			out, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("got %v: %s, want %q in it", err, out, tt.want)
			}
			if strings.Contains(string(out), "hush") || strings.Contains(string(out), os.Getenv("AWS_SECRET_ACCESS_KEY")) {
				t.Errorf("it shows the secret: %s", out)
			}
		})
	}
}
