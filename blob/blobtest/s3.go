package blobtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ream/blob"
	"ream/programtest"
)

// The account of a server that owns everything.
const (
	access = "owner"
	secret = "the secret of the owner"
)

// S3 is a real S3 server that runs until the test ends.
type S3 struct {
	Endpoint string
	Dir      string        // of its data
	Client   *minio.Client // with all rights
}

// StartS3 starts a server, which it builds if need be. It sets the credentials
// in the environment of this process to those of the server's owner.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret} {
		if err := os.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	endpoint := programtest.Start(t, "blob/s3test", dir)
	return &S3{Endpoint: endpoint, Dir: dir, Client: client(t, endpoint)}
}

func client(t testing.TB, endpoint string) *minio.Client {
	t.Helper()
	// The server takes what it did not read of a body it refused for another
	// request, and answers that on the same connection to whoever uses it next.
	transport, err := minio.DefaultTransport(false)
	if err != nil {
		t.Fatal(err)
	}
	transport.DisableKeepAlives = true
	c, err := minio.New(strings.TrimPrefix(endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(access, secret, ""), Region: "us-east-1", Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Bucket makes a bucket and returns its name.
func (s *S3) Bucket(t testing.TB) string {
	t.Helper()
	name := "ream-" + strings.ToLower(rand.Text())
	if err := s.Client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
		t.Fatalf("make a bucket: %v", err)
	}
	return name
}

// Behind is the server behind a proxy, which a test bends.
func (s *S3) Behind(t testing.TB, bend func(w http.ResponseWriter, r *http.Request, next http.Handler)) *S3 {
	t.Helper()
	target, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	next := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // which is signed
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { bend(w, r, next) }))
	t.Cleanup(proxy.Close)
	behind := *s
	behind.Endpoint = proxy.URL
	return &behind
}

// Location is a bucket as the flag --storage takes it. What it refuses is not
// waited for.
func (s *S3) Location(bucket string) string {
	return fmt.Sprintf("s3://%s/some/prefix?endpoint=%s&path-style=true&patience=0s", bucket, url.QueryEscape(s.Endpoint))
}

// Options are for a storage in a bucket, with a staging directory of its own.
func (s *S3) Options(t testing.TB, bucket string) blob.S3Options {
	t.Helper()
	o, err := blob.ParseS3(s.Location(bucket))
	if err != nil {
		t.Fatal(err)
	}
	o.Staging = t.TempDir()
	return o
}
