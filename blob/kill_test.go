package blob_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/blob"
	"ream/blob/blobtest"
)

// victim is set, to a location and a staging directory, for a copy of the test
// that stores blobs until it is killed.
const victim = "REAM_TEST_VICTIM"

func TestMain(m *testing.M) {
	if where := os.Getenv(victim); where != "" {
		location, staging, _ := strings.Cut(where, " ")
		if err := storeForever(context.Background(), location, staging, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// storeForever commits blobs, several batches at once, and prints the digests
// of each batch once it is committed, as a database would note them.
func storeForever(ctx context.Context, location, staging string, noted io.Writer) error {
	s, err := openAny(ctx, location, staging)
	if err != nil {
		return err
	}
	if err := s.Clean(ctx, 24*time.Hour); err != nil {
		return err
	}
	failed := make(chan error)
	var mu sync.Mutex
	for range 3 {
		go func() {
			for {
				digests, err := storeBatch(ctx, s)
				if err != nil {
					failed <- err
					return
				}
				mu.Lock()
				fmt.Fprintln(noted, strings.Join(digests, " "))
				mu.Unlock()
			}
		}()
	}
	return <-failed
}

func openAny(ctx context.Context, location, staging string) (blobtest.Storage, error) {
	if !strings.HasPrefix(location, "s3://") {
		return blob.NewDisk(location)
	}
	o, err := blob.ParseS3(location)
	if err != nil {
		return nil, err
	}
	o.Staging, o.Part = staging, part
	return blob.NewS3(ctx, o)
}

// storeBatch commits blobs of random bytes, some of which others store as well.
func storeBatch(ctx context.Context, s blobtest.Storage) (digests []string, err error) {
	var staged []blob.Staged
	for range 1 + rand.IntN(10) {
		w, err := s.CreateSized(rand.Int64N(2 * blob.SmallMost))
		if err != nil {
			return nil, err
		}
		random := rand.New(rand.NewPCG(rand.Uint64N(200), 0))
		for range random.IntN(20) {
			chunk := make([]byte, random.IntN(20_000))
			for i := range chunk {
				chunk[i] = byte(random.Uint32())
			}
			if _, err := w.Write(chunk); err != nil {
				return nil, err
			}
		}
		b, err := w.Finish()
		if err != nil {
			return nil, err
		}
		staged, digests = append(staged, b), append(digests, b.SHA256)
	}
	return digests, s.Commit(ctx, staged)
}

// TestKilled kills processes that store blobs on disk.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noted := killAll(t, 6, dir, "")
	d, err := blob.NewDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	checkNoted(t, d, filepath.Join(dir, "tmp"), noted)
}

// killAll kills pairs of processes that store blobs. It returns what they
// noted.
func killAll(t *testing.T, pairs int, location, staging string) (noted map[string]bool) {
	t.Helper()
	noted = map[string]bool{}
	for range pairs {
		var mu sync.Mutex
		var both sync.WaitGroup
		for range 2 {
			batches := rand.IntN(8)
			both.Go(func() {
				for _, digest := range killAfter(t, location+" "+staging, batches) {
					mu.Lock()
					noted[digest] = true
					mu.Unlock()
				}
			})
		}
		both.Wait()
	}
	if len(noted) == 0 {
		t.Error("nothing was stored")
	}
	return noted
}

// checkNoted fails unless what killed processes noted is there, every name
// leads to its bytes, and the rest can be cleaned. Of small blobs that nobody
// noted, names may lead to less.
func checkNoted(t *testing.T, s blobtest.Storage, staging string, noted map[string]bool) {
	t.Helper()
	left := len(blobtest.Leftovers(t, staging))
	stored := 0
	for b, err := range s.Stored(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if got := rehash(t, s, b); got != b.SHA256 && (noted[b.SHA256] || b.Size >= blob.SmallMost) {
			t.Errorf("%s leads to the bytes of %s", b.SHA256, got)
		}
		delete(noted, b.SHA256)
		stored++
	}
	if len(noted) > 0 {
		t.Errorf("of what was noted, %d blobs are not there", len(noted))
	}
	if err := s.Clean(t.Context(), 24*time.Hour); err != nil {
		t.Fatalf("Clean: %v", err)
	}
	if left := blobtest.Leftovers(t, staging); len(left) != 0 {
		t.Errorf("staged files after Clean: got %v, want none", left)
	}
	t.Logf("%d blobs, %d files left behind", stored, left)
}

// killAfter starts a process that stores blobs and kills it at some moment
// after it noted as many batches. It returns what was noted until then.
func killAfter(t *testing.T, where string, batches int) (noted []string) {
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), victim+"="+where)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Error(err)
		return nil
	}
	if err := command.Start(); err != nil {
		t.Error(err)
		return nil
	}
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == batches {
			if err := command.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what is not a whole line was not noted
		}
		noted = append(noted, strings.Fields(line)...)
	}
	if err := command.Wait(); err == nil || command.ProcessState.Exited() {
		t.Errorf("the process ended by itself: %v", command.ProcessState)
	}
	return noted
}

func rehash(t *testing.T, s blobtest.Storage, b blob.Stored) string {
	t.Helper()
	f, err := s.Open(t.Context(), b.SHA256, b.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
