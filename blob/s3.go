package blob

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 is a bucket of blobs, or what lies below a prefix in one. It is safe for
// concurrent use, also by several processes.
//
// A blob is written to a file on this machine first and uploaded when it is
// committed, as its key is its digest, which is not known before.
type S3 struct {
	*staging
	store  minio.Core
	idle   *http.Transport // the store's, to close its connections
	bucket string
	prefix string
	part   int64
	busy   keys

	patience time.Duration // for how long an upload is tried again
	pause    time.Duration // before it is the first time
	again    chan struct{} // holds something for each request that is made again
}

// NewS3 returns the blobs in a bucket. It fails, and says why, if none can be
// stored, read and removed there. It blocks while it tries.
func NewS3(ctx context.Context, o S3Options) (*S3, error) {
	idle := transport()
	store, err := connect(o, idle)
	if err != nil {
		return nil, err
	}
	s := &S3{store: *store, idle: idle, bucket: o.Bucket, prefix: o.Prefix, part: o.Part,
		patience: o.Patience, pause: cmp.Or(o.pause, firstPause), again: make(chan struct{}, fewer)}
	if s.part == 0 {
		s.part = 32 << 20
	}
	if s.staging, err = newStaging(o.Staging); err != nil {
		return nil, err
	}
	if err := s.check(ctx); err != nil {
		return nil, fmt.Errorf("s3://%s/%s at %s: %w", o.Bucket, o.Prefix, o.Endpoint, err)
	}
	return s, nil
}

func connect(o S3Options, transport *http.Transport) (*minio.Core, error) {
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, errors.New("the endpoint is no valid URL")
	}
	lookup := minio.BucketLookupAuto
	switch {
	case o.PathStyle == nil:
	case *o.PathStyle:
		lookup = minio.BucketLookupPath
	default:
		lookup = minio.BucketLookupDNS
	}
	if o.credentials == nil {
		o.credentials = credentials.NewChainCredentials(providers())
	}
	return minio.NewCore(endpoint.Host, &minio.Options{
		Creds:        o.credentials,
		Secure:       endpoint.Scheme == "https",
		Region:       o.Region,
		BucketLookup: lookup,
		MaxRetries:   o.Tries,
		Transport:    lending{transport},
	})
}

// providers are where credentials may come from, the first first.
func providers() []credentials.Provider {
	all := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if os.Getenv("AWS_EC2_METADATA_DISABLED") == "true" {
		return all
	}
	// Where there is no such service, nothing may answer at all.
	return append(all, &credentials.IAM{Client: &http.Client{Timeout: 5 * time.Second}})
}

// uploads is how many requests of one Commit run at once.
const uploads = 32

// quiet is how long nothing may come or go on a connection to the store that
// is in use.
const quiet = time.Minute

func transport() *http.Transport {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return patient{c}, nil
		},
		MaxIdleConnsPerHost:   2 * uploads,
		IdleConnTimeout:       quiet / 2,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // bytes are wanted as they are stored
	}
}

// patient is a connection that is given up when nothing moves on it.
type patient struct{ net.Conn }

func (p patient) Read(b []byte) (int, error) {
	if err := p.SetReadDeadline(time.Now().Add(quiet)); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}

// Write also keeps a Read patient that waits for an answer to what is written.
func (p patient) Write(b []byte) (int, error) {
	if err := p.SetDeadline(time.Now().Add(quiet)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

func (s *S3) key(sha256 string) string { return s.prefix + name(sha256) }

// Create begins a blob. The writer must be finished or aborted. A full disk,
// where blobs are staged, is Unavailable.
func (s *S3) Create() (*Writer, error) { return s.CreateSized(unknownSize) }

// CreateSized begins a blob that will have size bytes, and which waits for its
// Commit in memory if that is little. The rest is as with Create.
func (s *S3) CreateSized(size int64) (*Writer, error) { return s.create(size) }

// Open opens a blob of size bytes for reading. It asks the store for nothing
// yet, but returns NotFound for what is no digest. Reading returns NotFound if
// there is no such blob, and fails if it has another size; it ends with ctx.
func (s *S3) Open(ctx context.Context, sha256 string, size int64) (io.ReadSeekCloser, error) {
	if !isDigest(sha256) {
		return nil, missing(sha256)
	}
	return &object{size: size, get: func(offset, length int64) (io.ReadCloser, error) {
		return s.get(ctx, sha256, size, offset, length)
	}}, nil
}

// Redirect returns an address where anybody can get a blob, as a media type,
// within the next quarter of an hour. It asks the store for nothing.
func (s *S3) Redirect(ctx context.Context, sha256, contentType string) (string, error) {
	if !isDigest(sha256) {
		return "", missing(sha256)
	}
	u, err := s.store.PresignedGetObject(ctx, s.bucket, s.key(sha256), 15*time.Minute, url.Values{
		"response-content-type":  {contentType},
		"response-cache-control": {"private, no-cache"}, // the address is one client's, perhaps by its token
	})
	if err != nil {
		return "", refused(ctx, "address a blob", err)
	}
	return u.String(), nil
}

// Clean removes what was never committed: on this machine what processes left
// that are gone, as with a Disk, and in the store the parts of uploads that
// began longer ago than olderThan. It leaves alone what is not named as Ream
// names its own, as others may share the bucket.
func (s *S3) Clean(ctx context.Context, olderThan time.Duration) error {
	if err := s.clean(olderThan); err != nil {
		return fmt.Errorf("clean the storage: %w", curable(err))
	}
	if err := s.cleanProbes(ctx, olderThan); err != nil {
		return err
	}
	for _, below := range []string{blobs, quarantine} {
		if err := s.cleanUploads(ctx, below, olderThan); err != nil {
			return err
		}
	}
	return nil
}

// cleanUploads aborts the old ones of the uploads of blobs to somewhere.
func (s *S3) cleanUploads(ctx context.Context, below string, olderThan time.Duration) error {
	var key, upload string
	for {
		page, err := s.store.ListMultipartUploads(ctx, s.bucket, s.prefix+below, key, upload, "", 1000)
		if err != nil {
			return refused(ctx, "list unfinished uploads", err)
		}
		for _, u := range page.Uploads {
			if !s.isBlob(u.Key) || time.Since(u.Initiated) < olderThan {
				continue
			}
			if err := s.store.AbortMultipartUpload(ctx, s.bucket, u.Key, u.UploadID); err != nil && !isMissing(err) {
				return refused(ctx, "abort an unfinished upload", err)
			}
		}
		if !page.IsTruncated {
			return nil
		}
		key, upload = page.NextKeyMarker, page.NextUploadIDMarker
	}
}

// isBlob reports whether a key is that of a blob, or of one that was moved aside.
func (s *S3) isBlob(key string) bool {
	at, ok := strings.CutPrefix(key, s.prefix)
	if !ok {
		return false
	}
	if aside, ok := strings.CutPrefix(at, quarantine); ok {
		_, ok = asideAt(aside, 0)
		return ok
	}
	_, ok = digestAt(at)
	return ok
}

// Close drops what is staged. Nothing may be used after it.
func (s *S3) Close() error {
	s.idle.CloseIdleConnections()
	return s.close()
}
