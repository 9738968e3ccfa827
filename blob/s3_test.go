package blob_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"ream/blob"
	"ream/blob/blobtest"
	"ream/fault"
)

// prefix is that of the locations that blobtest gives.
const prefix = "some/prefix/"

// part is the least size of a part that S3 allows.
const part = 5 << 20

// large is enough for three of them.
var large = strings.Repeat("abcdefghijklmno\n", 11<<16)

func newS3(t *testing.T, o blob.S3Options) *blob.S3 {
	t.Helper()
	s, err := blob.NewS3(t.Context(), o)
	if err != nil {
		t.Fatalf("NewS3: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func key(body string) string {
	digest := blobtest.Digest(body)
	return prefix + "sha256/" + digest[:2] + "/" + digest[2:]
}

func TestS3(t *testing.T) {
	t.Parallel()
	server := blobtest.StartS3(t)
	t.Run("Suite", func(t *testing.T) {
		blobtest.Run(t, func(t *testing.T) blobtest.Opened {
			bucket := server.Bucket(t)
			o := server.Options(t, bucket)
			o.Part = part
			return blobtest.Opened{
				Storage: newS3(t, o), Staging: o.Staging,
				Spoil:       func(t *testing.T, sha256, body string) { server.Spoil(t, bucket, sha256, body) },
				Quarantined: func(t *testing.T) map[string]string { return server.Quarantined(t, bucket) },
				Vanish:      func(t *testing.T) func() { return server.Vanish(t, bucket) },
			}
		})
	})
	for name, test := range map[string]func(*testing.T, *blobtest.S3){
		"Checksums": testChecksums,
		"Changed":   testChangedBytes,
		"Faults":    testFaults,
		"Breaks":    testBreaks,
		"Early":     testEarlyAnswers,
		"Overload":  testOverload,
		"Patience":  testPatience,
		"Abandoned": testAbandoned,
		"Shared":    testShared,
		"Versions":  testVersions,
		"Redirect":  testRedirect,
		"CannotUse": testCannotUse,
		"Killed":    testKilled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, server)
		})
	}
}

// testChecksums asks the server for the checksums that it keeps.
func testChecksums(t *testing.T, server *blobtest.S3) {
	bucket := server.Bucket(t)
	o := server.Options(t, bucket)
	o.Part = part
	blobtest.Store(t, newS3(t, o), "small", large)
	checksum := func(body string) string {
		info, err := server.Client.StatObject(t.Context(), bucket, key(body), minio.StatObjectOptions{Checksum: true})
		if err != nil {
			t.Fatal(err)
		}
		return info.ChecksumSHA256
	}
	raw, err := hex.DecodeString(blobtest.Digest("small"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := checksum("small"), base64.StdEncoding.EncodeToString(raw); got != want {
		t.Errorf("of a small blob: got %s, want %s", got, want)
	}
	if got := checksum(large); !strings.HasSuffix(got, "-3") {
		t.Errorf("of a large blob: got %q, want that of three parts", got)
	}
}

// testChangedBytes changes what is staged before it is uploaded, and what is
// uploaded on its way.
func testChangedBytes(t *testing.T, server *blobtest.S3) {
	for name, body := range map[string]string{"small": "small", "large": large} {
		bucket := server.Bucket(t)
		o := server.Options(t, bucket)
		o.Part = part
		straight := newS3(t, o)
		o.Endpoint = server.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodPut && r.ContentLength > 0 && strings.Contains(r.URL.Path, key(body)) {
				r.Body = &flipping{r.Body}
			}
			next.ServeHTTP(w, r)
		}).Endpoint
		flipped := newS3(t, o)
		for how, commit := range map[string]func() error{
			"on disk": func() error {
				staged := blobtest.Stage(t, straight, body)
				for _, file := range blobtest.Leftovers(t, o.Staging) {
					if err := os.WriteFile(file, []byte(strings.ToUpper(body)), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				defer straight.Discard(staged)
				return straight.Commit(t.Context(), []blob.Staged{staged})
			},
			"on its way": func() error {
				staged := blobtest.Stage(t, flipped, body)
				defer flipped.Discard(staged)
				return flipped.Commit(t.Context(), []blob.Staged{staged})
			},
		} {
			if err := commit(); err == nil {
				t.Errorf("%s, changed %s: it was committed", name, how)
			}
			blobtest.CheckMissing(t, straight, body)
		}
		if n := unfinished(t, server, bucket); n != 0 {
			t.Errorf("%s: %d uploads were left unfinished", name, n)
		}
	}
}

// flipping changes the first byte of what is read at once.
type flipping struct{ io.ReadCloser }

func (f *flipping) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if n > 0 {
		p[0] ^= 1
	}
	return n, err
}

// unfinished counts the uploads that were begun and not ended.
func unfinished(t *testing.T, server *blobtest.S3, bucket string) int {
	t.Helper()
	core := minio.Core{Client: server.Client}
	page, err := core.ListMultipartUploads(t.Context(), bucket, "", "", "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Uploads)
}

// testFaults has each kind of request fail once, and answers get lost.
func testFaults(t *testing.T, server *blobtest.S3) {
	bucket := server.Bucket(t)
	o := server.Options(t, bucket)
	o.Part = part
	fail := map[string]*atomic.Int32{"PUT": {}, "POST": {}, "GET": {}, "HEAD": {}, "DELETE": {}}
	var lost atomic.Bool
	o.Endpoint = server.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if fail[r.Method].CompareAndSwap(1, 0) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && lost.CompareAndSwap(false, true) {
			next.ServeHTTP(httptest.NewRecorder(), r) // completed, and nobody hears of it
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	}).Endpoint
	s := newS3(t, o)
	for _, f := range fail {
		f.Store(1)
	}
	blobtest.Store(t, s, "small", large)
	blobtest.Check(t, s, "small")
	blobtest.Check(t, s, large)
	if removed, err := s.Remove(t.Context(), []string{blobtest.Digest("small")}, 0); err != nil || len(removed) != 1 {
		t.Errorf("Remove: got %v, %v", removed, err)
	}
	for method, f := range fail {
		if f.Load() != 0 {
			t.Errorf("%s did not fail", method)
		}
	}
	if !lost.Load() {
		t.Error("no answer was lost")
	}
	if n := unfinished(t, server, bucket); n != 0 {
		t.Errorf("%d uploads were left unfinished", n)
	}

	// What goes on failing is told, and what to do.
	o.Tries = 2
	var down atomic.Bool
	o.Endpoint = server.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	}).Endpoint
	s = newS3(t, o)
	down.Store(true)
	staged := blobtest.Stage(t, s, "later")
	defer s.Discard(staged)
	if err := s.Commit(t.Context(), []blob.Staged{staged}); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "try again") {
		t.Errorf("Commit to a server that is down: got %v, want Unavailable", err)
	}
	f, err := s.Open(t.Context(), blobtest.Digest("small"), 5)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.ReadAll(f); !fault.Is(err, fault.Unavailable) {
		t.Errorf("reading from a server that is down: got %v, want Unavailable", err)
	}
	down.Store(false)
	if err := s.Commit(t.Context(), []blob.Staged{staged}); err != nil {
		t.Errorf("Commit once it is up again: %v", err)
	}
	blobtest.Check(t, s, "later")
}

// testEarlyAnswers has a server that refuses uploads before it has read them: what
// is still being sent then must not mix with the next attempt.
func testEarlyAnswers(t *testing.T, server *blobtest.S3) {
	o := server.Options(t, server.Bucket(t))
	var early atomic.Int32
	o.Endpoint = server.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut && early.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	}).Endpoint
	s := newS3(t, o)
	early.Store(8)
	var bodies []string
	for i := range 4 {
		bodies = append(bodies, large[i:])
	}
	blobtest.Store(t, s, bodies...)
	for _, body := range bodies {
		blobtest.Check(t, s, body)
	}
}

// testBreaks reads from a server whose answers break off.
func testBreaks(t *testing.T, server *blobtest.S3) {
	o := server.Options(t, server.Bucket(t))
	var breaks atomic.Int32 // how many answers break off yet
	o.Endpoint = server.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && breaks.Add(-1) >= 0 {
			w = &breaking{ResponseWriter: w, left: 10_000}
		}
		next.ServeHTTP(w, r)
	}).Endpoint
	s := newS3(t, o)
	body := large[:1<<20]
	blobtest.Store(t, s, body)
	breaks.Store(20) // each brings something
	blobtest.Check(t, s, body)
	f, err := s.Open(t.Context(), blobtest.Digest(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	breaks.Store(1 << 30)
	got, err := io.ReadAll(io.LimitReader(f, 300_000))
	if err != nil || string(got) != body[:300_000] {
		t.Errorf("a part: got %d bytes, %v", len(got), err)
	}
}

// breaking is a writer of an answer that breaks off.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; b.left == 0 {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// testAbandoned cleans what a process that was killed leaves in a store.
func testAbandoned(t *testing.T, server *blobtest.S3) {
	bucket := server.Bucket(t)
	s := newS3(t, server.Options(t, bucket))
	core := minio.Core{Client: server.Client}
	blobtest.Store(t, s, "kept")
	for n := range 3 {
		id, err := core.NewMultipartUpload(t.Context(), bucket, key(fmt.Sprint(n)), minio.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := core.PutObjectPart(t.Context(), bucket, key(fmt.Sprint(n)), id, 1, strings.NewReader("half"), 4, minio.PutObjectPartOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	aside := prefix + "quarantine/" + blobtest.Digest("damaged") + ".1700000000000000"
	if _, err := core.NewMultipartUpload(t.Context(), bucket, aside, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	probe := prefix + "probe/" + rand.Text()
	if _, err := server.Client.PutObject(t.Context(), bucket, probe, strings.NewReader("?"), 1, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		olderThan time.Duration
		uploads   int
		probe     bool
	}{{time.Hour, 4, true}, {0, 0, false}} {
		if err := s.Clean(t.Context(), step.olderThan); err != nil {
			t.Fatalf("Clean: %v", err)
		}
		if n := unfinished(t, server, bucket); n != step.uploads {
			t.Errorf("uploads after Clean(%s): got %d, want %d", step.olderThan, n, step.uploads)
		}
		_, err := server.Client.StatObject(t.Context(), bucket, probe, minio.StatObjectOptions{})
		if left := err == nil; left != step.probe {
			t.Errorf("probe after Clean(%s): got %t, want %t", step.olderThan, left, step.probe)
		}
	}
	blobtest.Check(t, s, "kept")
}

// testShared cleans a bucket that others use as well, in which Ream has no prefix.
func testShared(t *testing.T, server *blobtest.S3) {
	bucket := server.Bucket(t)
	o := server.Options(t, bucket)
	o.Prefix = ""
	s := newS3(t, o)
	core := minio.Core{Client: server.Client}
	theirs := []string{"backups/huge.tar", "sha256/aa/huge.tar", "sha256/" + blobtest.Digest("flat"), "quarantine/huge.tar"}
	for _, key := range theirs {
		if _, err := core.NewMultipartUpload(t.Context(), bucket, key, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	objects := []string{"probe/of-another-app/data", "probe/data", "probe/" + strings.Repeat("a", 26), "probe/" + rand.Text() + "/data"}
	for _, key := range objects {
		if _, err := server.Client.PutObject(t.Context(), bucket, key, strings.NewReader("?"), 1, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Clean(t.Context(), 0); err != nil {
		t.Fatalf("Clean: %v", err)
	}
	if n := unfinished(t, server, bucket); n != len(theirs) {
		t.Errorf("their uploads: %d are left of %d", n, len(theirs))
	}
	for _, key := range objects {
		if _, err := server.Client.StatObject(t.Context(), bucket, key, minio.StatObjectOptions{}); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// testVersions removes a blob from a bucket that keeps every version.
func testVersions(t *testing.T, server *blobtest.S3) {
	bucket := server.Bucket(t)
	if err := server.Client.EnableVersioning(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	s := newS3(t, server.Options(t, bucket))
	for range 3 {
		blobtest.Store(t, s, "again")
	}
	if removed, err := s.Remove(t.Context(), []string{blobtest.Digest("again")}, 0); err != nil || len(removed) != 1 {
		t.Errorf("Remove: got %v, %v, want it", removed, err)
	}
	blobtest.CheckMissing(t, s, "again")
	for info := range server.Client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		t.Errorf("left: %s, version %s", info.Key, info.VersionID)
	}
}

// testRedirect gets a blob from where clients are sent.
func testRedirect(t *testing.T, server *blobtest.S3) {
	s := newS3(t, server.Options(t, server.Bucket(t)))
	blobtest.Store(t, s, "0123456789")
	address, err := s.Redirect(t.Context(), blobtest.Digest("0123456789"), "application/x-rpm")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(address, url.QueryEscape(os.Getenv("AWS_SECRET_ACCESS_KEY"))) {
		t.Error("the address holds the secret")
	}
	for want, part := range map[string]string{"0123456789": "", "345": "bytes=3-5"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if part != "" {
			r.Header.Set("Range", part)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != want || resp.Header.Get("Content-Type") != "application/x-rpm" {
			t.Errorf("got %d, %q, %v, as %q, want %q", resp.StatusCode, body, err, resp.Header.Get("Content-Type"), want)
		}
	}
	if _, err := s.Redirect(t.Context(), "no digest", "text/plain"); !fault.Is(err, fault.NotFound) {
		t.Errorf("no digest: got %v, want NotFound", err)
	}
}

// testCannotUse opens storages that cannot be used.
func testCannotUse(t *testing.T, server *blobtest.S3) {
	bucket := server.Bucket(t)
	secret := os.Getenv("AWS_SECRET_ACCESS_KEY")
	tests := map[string]struct {
		change func(o *blob.S3Options)
		want   []string
	}{
		"no bucket":    {func(o *blob.S3Options) { o.Bucket = "missing" }, []string{"s3://missing/", "lacks its bucket"}},
		"no such key":  {func(o *blob.S3Options) { *o = o.WithKeys("nobody", secret) }, []string{"does not accept the credentials"}},
		"wrong secret": {func(o *blob.S3Options) { *o = o.WithKeys("owner", "not "+secret) }, []string{"does not accept the credentials"}},
		"no rights":    {func(o *blob.S3Options) { *o = o.WithKeys("stranger", "stranger") }, []string{"does not allow it", "AccessDenied"}},
		"no server":    {func(o *blob.S3Options) { o.Endpoint = "http://127.0.0.1:1" }, []string{"http://127.0.0.1:1", "cannot be reached", "connection refused"}},
		"wrong region": {func(o *blob.S3Options) { o.Region = "mars-1" }, []string{"another region", "region="}},
		"no TLS":       {func(o *blob.S3Options) { o.Endpoint = strings.Replace(o.Endpoint, "http:", "https:", 1) }, []string{"cannot be reached"}},
	}
	for name, tt := range tests {
		o := server.Options(t, bucket)
		o.Tries = 1
		tt.change(&o)
		s, err := blob.NewS3(t.Context(), o)
		if err == nil {
			t.Errorf("%s: got %v, want an error", name, s)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", name, err, want)
			}
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds the secret: %v", name, err)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := blob.NewS3(canceled, server.Options(t, bucket)); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("canceled: got %v", err)
	}
}

// testKilled kills processes that store blobs.
func testKilled(t *testing.T, server *blobtest.S3) {
	bucket := server.Bucket(t)
	o := server.Options(t, bucket)
	o.Part = part
	noted := killAll(t, 4, server.Location(bucket), o.Staging)
	s := newS3(t, o)
	checkNoted(t, s, o.Staging, noted)
	if err := s.Clean(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if n := unfinished(t, server, bucket); n != 0 {
		t.Errorf("%d uploads were left unfinished", n)
	}
	var keys []string
	for info := range server.Client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		if !strings.HasPrefix(info.Key, prefix+"sha256/") {
			keys = append(keys, info.Key)
		}
	}
	if len(keys) != 0 {
		t.Errorf("objects that are no blobs: %v", keys)
	}
}

func TestParseS3(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	tests := map[string]blob.S3Options{
		"s3://bucket":                       {Bucket: "bucket", Endpoint: "https://s3.amazonaws.com"},
		"s3://bucket/":                      {Bucket: "bucket", Endpoint: "https://s3.amazonaws.com"},
		"s3://bucket/a/b/?region=eu-west-1": {Bucket: "bucket", Prefix: "a/b/", Endpoint: "https://s3.amazonaws.com", Region: "eu-west-1"},
		"s3://b/p?endpoint=http://h:9000&path-style=true":   {Bucket: "b", Prefix: "p/", Endpoint: "http://h:9000", Region: "us-east-1", PathStyle: &yes},
		"s3://b?endpoint=https://h&path-style=0&redirect=1": {Bucket: "b", Endpoint: "https://h", Region: "us-east-1", PathStyle: &no, Redirect: true},
		"s3://b?patience=90s":                               {Bucket: "b", Endpoint: "https://s3.amazonaws.com", Patience: 90 * time.Second},
		"s3://b?endpoint=https%3A%2F%2Fh%3A1&region=here":   {Bucket: "b", Endpoint: "https://h:1", Region: "here"},
	}
	for location, want := range tests {
		got, err := blob.ParseS3(location)
		if err != nil {
			t.Errorf("%s: %v", location, err)
			continue
		}
		if (got.PathStyle == nil) != (want.PathStyle == nil) || got.PathStyle != nil && *got.PathStyle != *want.PathStyle {
			t.Errorf("%s: path-style: got %v, want %v", location, got.PathStyle, want.PathStyle)
		}
		got.PathStyle, want.PathStyle = nil, nil
		if want.Patience == 0 {
			want.Patience = 2 * time.Minute
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", location, got, want)
		}
	}
	for location, want := range map[string]string{
		"s3://":                                     "bucket",
		"s3:///prefix":                              "bucket",
		"s3://bucket:80/":                           "bucket",
		"s3://id:hush@bucket":                       "AWS_SECRET_ACCESS_KEY",
		"s3://hush@bucket":                          "AWS_SECRET_ACCESS_KEY",
		"s3://bucket?secret_access_key=hush":        "AWS_SECRET_ACCESS_KEY",
		"s3://bucket?aws-access-key-id=hush":        "AWS_SECRET_ACCESS_KEY",
		"s3://bucket?style=hush":                    "want endpoint, region, path-style, redirect or patience",
		"s3://bucket?path-style=hush":               "true or false",
		"s3://bucket?redirect=hush":                 "true or false",
		"s3://bucket?patience=hush":                 "30s or 2m",
		"s3://bucket?patience=-1s":                  "30s or 2m",
		"s3://bucket?region=hush&region=b":          "region more than once",
		"s3://bucket?endpoint=hush":                 "endpoint: want http://host",
		"s3://bucket?endpoint=ftp://hush":           "endpoint: want http://host",
		"s3://bucket?endpoint=http://id:hush@host/": "endpoint: want http://host",
		"s3://bucket?endpoint=http://host/hush":     "endpoint: want http://host",
		"s3://bucket?endpoint=http://host?a=hush":   "endpoint: want http://host",
		"s3://bucket#hush":                          "fragment",
		"s3://bucket?a=%zz":                         "not valid",
		"s3://bu cket":                              "no valid URL",
		"s3://id:hu sh@bucket":                      "no valid URL",
		"http://bucket":                             "s3://bucket/prefix",
	} {
		_, err := blob.ParseS3(location)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", location, err, want)
		} else if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "hu sh") {
			t.Errorf("%s: the error holds the secret: %v", location, err)
		}
	}
}

// TestSameLayout copies a Disk's files into a bucket.
func TestSameLayout(t *testing.T) {
	t.Parallel()
	server := blobtest.StartS3(t)
	d, dir := newDisk(t)
	bodies := []string{"one", "two", "three"}
	blobtest.Store(t, d, bodies...)
	bucket := server.Bucket(t)
	s := newS3(t, server.Options(t, bucket))
	var digests []string
	for _, body := range bodies {
		from := path(dir, body)
		to, err := filepath.Rel(dir, from)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := server.Client.FPutObject(t.Context(), bucket, prefix+filepath.ToSlash(to), from, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, blobtest.Digest(body))
	}
	for _, body := range bodies {
		blobtest.Check(t, s, body)
	}
	slices.Sort(digests)
	n := 0
	for b, err := range s.Stored(t.Context(), "") {
		if err != nil || b.SHA256 != digests[n] {
			t.Errorf("Stored: got %v, %v, want %s", b, err, digests[n])
		}
		n++
	}
	if n != len(digests) {
		t.Errorf("Stored: got %d blobs, want %d", n, len(digests))
	}
}
