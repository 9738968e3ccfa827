package blobtest

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sys/unix"

	"ream/blob"
)

// The account of a server that owns everything.
const (
	access = "owner"
	secret = "the secret of the owner"
)

// S3 is a real S3 server that runs until the test ends.
type S3 struct {
	Endpoint string
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
	command := exec.Command(buildS3(t), t.TempDir())
	command.Stderr = t.Output()
	stdin, err := command.StdinPipe() // the server lives no longer than this is open
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := command.Wait(); err != nil {
			t.Errorf("the S3 server: %v", err)
		}
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "http://") {
			return &S3{Endpoint: lines.Text(), Client: client(t, lines.Text())}
		}
	}
	t.Fatal("the S3 server ended")
	return nil
}

// buildS3 returns the path of the server, whose module is beside this package.
func buildS3(t testing.TB) string {
	t.Helper()
	// Its first build takes longer than many a test may.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	run := func(dir string, args ...string) string {
		command := exec.CommandContext(ctx, "go", args...)
		command.Dir = dir
		var stderr strings.Builder
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
		}
		return strings.TrimSpace(string(out))
	}
	// Go does not share the work of builds that run at once.
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "ream-s3test.lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	module := run("", "list", "-m", "-f", "{{.Dir}}")
	return run(filepath.Join(module, "blob", "s3test"), "tool", "-n", "s3test")
}

func client(t testing.TB, endpoint string) *minio.Client {
	t.Helper()
	c, err := minio.New(strings.TrimPrefix(endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(access, secret, ""), Region: "us-east-1",
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

// Location is a bucket as the flag --storage takes it.
func (s *S3) Location(bucket string) string {
	return fmt.Sprintf("s3://%s/some/prefix?endpoint=%s&path-style=true", bucket, url.QueryEscape(s.Endpoint))
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
