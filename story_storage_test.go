package main_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// TestRedirectedByAToken has a distribution that needs a token, and a bucket that
// clients are sent to, which refuses requests with other credentials than those
// in the address, as Amazon's does.
func TestRedirectedByAToken(t *testing.T) {
	t.Parallel()
	s3 := blobtest.StartS3(t)
	for _, tt := range []struct {
		name, host string
		sent       bool // to the bucket: many clients would take their token along to another port of the same host
	}{{"another host", "localhost", true}, {"the same host", "127.0.0.1", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			behind := s3.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.URL.Query().Has("X-Amz-Signature") && r.Header.Get("Authorization") != "" {
					t.Errorf("the bucket is told %.10q", r.Header.Get("Authorization"))
					http.Error(w, "<Error><Code>InvalidArgument</Code></Error>", http.StatusBadRequest)
					return
				}
				next.ServeHTTP(w, r)
			})
			bucket := s3.Bucket(t)
			p := startOn(t, tt.sent, "--storage", strings.Replace(behind.Location(bucket), "127.0.0.1", tt.host, 1)+"&redirect=true")
			file := bytesOf(200_000)
			r := p.repository("r", newUpstream(t, map[string][]byte{"large": file}).URL+"/PULP_MANIFEST")
			p.distribute("d", r, "TOKEN")
			if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
				t.Fatalf("mirror: got %+v %+v", got, got.Error)
			}
			gone, revoked := p.newToken(`name: "gone", role: READER`)
			query[any](p, `mutation($i: ID!) { revokeToken(id: $i) { id } }`, map[string]any{"i": gone})
			_, secret := p.newToken(`name: "ci", role: READER`)
			for _, refused := range [][]string{nil, {"Authorization", "Bearer " + revoked}, {"Authorization", basicOf("guessed")}} {
				if got := p.exchange("GET", "/content/d/large", refused...); got.StatusCode != 401 || got.Header.Get("Location") != "" {
					t.Errorf("with %.20q: got %s and %q", refused, got.Status, got.Header.Get("Location"))
				}
			}
			for way, authorization := range map[string]string{"bearer": "Bearer " + secret, "basic": basicOf(secret)} {
				response, body, err := p.ask("GET", "/content/d/large", "Authorization", authorization)
				if elsewhere := response.Request.URL.Hostname() == "localhost"; err != nil || !bytes.Equal(body, file) || elsewhere != tt.sent {
					t.Errorf("%s: got %s, %d bytes from %s, %v", way, response.Status, len(body), response.Request.URL.Host, err)
				}
				curl := map[string][]string{"bearer": {"--oauth2-bearer", secret}, "basic": {"--user", "whoever:" + secret}}[way]
				if got := p.curl("/content/d/large", append(curl, "--location")...); !strings.HasSuffix(got.body, "\r\n\r\n"+string(file)) && got.body != string(file) {
					t.Errorf("%s, by curl: got %d, %d bytes", way, got.status, len(got.body))
				}
				if !tt.sent {
					continue
				}
				redirected := p.exchange("GET", "/content/d/large", "Authorization", authorization)
				to, err := redirected.Location()
				if err != nil || redirected.StatusCode != 307 || redirected.Header.Get("Cache-Control") != "no-store" || redirected.Header.Get("ETag") != "" || strings.Contains(to.String(), secret) {
					t.Fatalf("%s: got %s to %v, with %v", way, redirected.Status, to, redirected.Header)
				}
				// The address is all that the bucket wants, and no cache may give to others what it led to.
				if seconds, err := strconv.Atoi(to.Query().Get("X-Amz-Expires")); err != nil || seconds > 900 {
					t.Errorf("the address is good for %d seconds, %v", seconds, err)
				}
				for _, signed := range []bool{true, false} {
					if !signed {
						to.RawQuery = ""
					}
					response, err := http.Get(to.String())
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(response.Body)
					response.Body.Close()
					if caching := response.Header.Get("Cache-Control"); err != nil || bytes.Equal(got, file) != signed || signed && caching != "private, no-cache" || !signed && response.StatusCode != 403 {
						t.Errorf("signed %t: got %s, %d bytes, %q, %v", signed, response.Status, len(got), caching, err)
					}
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
