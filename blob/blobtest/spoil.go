package blobtest

import (
	"crypto/rand"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// below is where StartS3's locations have their blobs.
const below = "some/prefix/"

// SpoilDisk puts other bytes into the file of a blob on disk.
func SpoilDisk(t testing.TB, dir, sha256, body string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "sha256", sha256[:2], sha256[2:]), []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Age makes all files below a directory older: of a storage on disk, or of an S3
// server's data.
func Age(t testing.TB, dir string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return os.Chtimes(path, then, then)
	}); err != nil {
		t.Fatal(err)
	}
}

// BeginOnDisk leaves in a storage what a process of another machine began so long
// ago, until left tells that it is gone.
func BeginOnDisk(t testing.TB, dir string, ago time.Duration) (left func() bool) {
	t.Helper()
	owner := filepath.Join(dir, "tmp", "elsewhere-"+rand.Text())
	if err := os.MkdirAll(owner, 0o700); err != nil {
		t.Fatal(err)
	}
	begun := filepath.Join(owner, "blob-1")
	if err := os.WriteFile(begun, []byte("begun"), 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-ago)
	for _, path := range []string{begun, owner} {
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	return func() bool {
		_, err := os.Stat(begun)
		return err == nil
	}
}

// Begin leaves in a bucket the upload of a blob that somebody began so long ago,
// until left tells that it is gone.
func (s *S3) Begin(t testing.TB, bucket string, ago time.Duration) (left func() bool) {
	t.Helper()
	core := minio.Core{Client: s.Client}
	id, err := core.NewMultipartUpload(t.Context(), bucket, below+"sha256/aa/"+Digest("begun")[2:], minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-ago)
	if err := filepath.WalkDir(filepath.Join(s.Dir, "data", bucket), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != id {
			return err
		}
		return os.Chtimes(path, then, then)
	}); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		page, err := core.ListMultipartUploads(t.Context(), bucket, "", "", "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Uploads) > 0
	}
}

// VanishFromDisk takes a storage's directory away, until back is called.
func VanishFromDisk(t testing.TB, dir string) (back func()) {
	t.Helper()
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	away := filepath.Clean(dir) + "-away"
	move(dir, away)
	return func() { move(away, dir) }
}

// QuarantinedOnDisk is what was moved aside on disk, by name.
func QuarantinedOnDisk(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "quarantine"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		body, err := os.ReadFile(filepath.Join(dir, "quarantine", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(body)
	}
	return found
}

// Spoil puts other bytes into the object of a blob.
func (s *S3) Spoil(t testing.TB, bucket, sha256, body string) {
	t.Helper()
	key := below + "sha256/" + sha256[:2] + "/" + sha256[2:]
	if _, err := s.Client.PutObject(t.Context(), bucket, key, strings.NewReader(body), int64(len(body)), minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Vanish takes a bucket away, until back is called.
func (s *S3) Vanish(t testing.TB, bucket string) (back func()) {
	t.Helper()
	return VanishFromDisk(t, filepath.Join(s.Dir, "data", bucket))
}

// Quarantined is what was moved aside in a bucket, by name.
func (s *S3) Quarantined(t testing.TB, bucket string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for info := range s.Client.ListObjectsIter(t.Context(), bucket, minio.ListObjectsOptions{Prefix: below + "quarantine/", Recursive: true}) {
		if info.Err != nil {
			t.Fatal(info.Err)
		}
		o, err := s.Client.GetObject(t.Context(), bucket, info.Key, minio.GetObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(o)
		o.Close()
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimPrefix(info.Key, below+"quarantine/")] = string(body)
	}
	return found
}
