package main_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ream/db/dbtest"
)

// smallDisk mounts a file system of a few megabytes. Only root may.
func smallDisk(t *testing.T, megabytes int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// randomFiles are n files of the same size.
func randomFiles(n, size int) map[string][]byte {
	random := rand.New(rand.NewPCG(uint64(n), uint64(size)))
	files := map[string][]byte{}
	for i := range n {
		file := make([]byte, size)
		for j := range file {
			file[j] = byte(random.Uint32())
		}
		files[fmt.Sprintf("%d/file-%d", i%7, i)] = file
	}
	return files
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, files := range []struct {
		name    string
		n, size int
	}{{"large files", 10, 1 << 20}, {"small files", 500, 16 << 10}} {
		t.Run(files.name, func(t *testing.T) {
			t.Parallel()
			t.Run("with the database on it", func(t *testing.T) {
				t.Parallel()
				disk := smallDisk(t, 96)
				fullDisk(t, start(t, "--data", disk), disk, 28<<20, randomFiles(files.n, files.size))
			})
			t.Run("with the storage alone on it", func(t *testing.T) {
				t.Parallel()
				database, disk := dbtest.PostgresAddress(t), smallDisk(t, 96)
				fullDisk(t, start(t, "--data", disk, "--database", database), disk, 91<<20, randomFiles(files.n, files.size))
			})
			if files.name == "small files" {
				return // they are staged in memory
			}
			t.Run("with what is staged for a bucket on it", func(t *testing.T) {
				t.Parallel()
				database, disk := dbtest.PostgresAddress(t), smallDisk(t, 96)
				fullDisk(t, start(t, "--data", disk, "--database", database, "--storage", s3Depot(t).location), disk, 96<<20-500<<10, randomFiles(files.n, files.size))
			})
		})
	}
}

func fullDisk(t *testing.T, p *program, disk string, full int, files map[string][]byte) {
	up := newUpstream(t, files)
	p.repository("r", up.URL+"/PULP_MANIFEST")
	// All but some of the room is taken by something else.
	other := filepath.Join(disk, "other")
	if err := os.WriteFile(other, make([]byte, full), 0o600); err != nil {
		t.Fatal(err)
	}
	got := p.sync("r", true)
	if got.State != "FAILED" || got.Error == nil || got.Error.Code != "UNAVAILABLE" || !strings.Contains(got.Error.Message, "full: free some space and try again") {
		t.Errorf("a sync onto a full disk: got %+v %+v", got, got.Error)
	}
	if versions, _ := p.versions("r"); versions != 0 {
		t.Error("a sync that failed made a version")
	}
	if !slices.Contains(p.args, "--storage") {
		checkStorage(t, disk)
	}
	if response, err := http.Get(p.address + "/readyz"); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("the server is not well: %v, %v", response, err)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
		t.Fatalf("with room again: got %+v %+v", got, got.Error)
	}
	checked := 0
	for path, want := range files {
		if got := p.get("/content/r/" + path); !bytes.Equal(got, want) {
			t.Errorf("%s is served with %d bytes that differ", path, len(got))
		}
		if checked++; checked == 50 {
			break
		}
	}
}

// checkStorage makes sure that every stored file has the digest that it is named
// by.
func checkStorage(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "artifacts", "sha256"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.ReadFile(path)
		if named := filepath.Base(filepath.Dir(path)) + filepath.Base(path); named != digest(file) {
			t.Errorf("%s has the digest %s", path, digest(file))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFullDiskOfTemporaryFiles(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	p.kill()
	p.tmp = smallDisk(t, 1)
	p.start()
	up := newUpstream(t, map[string][]byte{"a": []byte("a")})
	p.repository("r", up.URL+"/PULP_MANIFEST")
	up.set(func() { up.manifest = strings.Repeat("x", 2<<20) })
	if got := p.sync("r", true); got.State != "FAILED" || got.Error == nil || !strings.Contains(got.Error.Message, "the disk for temporary files is full: free some space and try again") {
		t.Errorf("got %+v %+v", got, got.Error)
	}
	up.set(func() { up.manifest = "" })
	if got := p.sync("r", true); got.State != "COMPLETED" {
		t.Errorf("with room again: got %+v %+v", got, got.Error)
	}
}

// TestUploadOntoAFullDisk goes on with an upload once there is room again.
func TestUploadOntoAFullDisk(t *testing.T) {
	t.Parallel()
	t.Run("with the database on it", func(t *testing.T) {
		t.Parallel()
		disk := smallDisk(t, 260)
		uploadOntoAFullDisk(t, start(t, "--data", disk), disk, 160<<20) // of the rest the database keeps 64 for itself
	})
	t.Run("with the storage alone on it", func(t *testing.T) {
		t.Parallel()
		database, disk := dbtest.PostgresAddress(t), smallDisk(t, 200)
		uploadOntoAFullDisk(t, start(t, "--data", disk, "--database", database), disk, 150<<20)
	})
}

func uploadOntoAFullDisk(t *testing.T, p *program, disk string, full int) {
	p.empty("own")
	other := filepath.Join(disk, "other")
	if err := os.WriteFile(other, make([]byte, full), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := randomFiles(1, 70<<20)["0/file-0"] // two parts and a bit, of which one fits
	at := p.tus("POST", "/api/v1/uploads", nil, "Upload-Length", fmt.Sprint(len(whole))).Header.Get("Location")
	if at == "" {
		t.Fatal("no upload was begun")
	}
	offset := func() int {
		n, err := strconv.Atoi(p.tus("HEAD", at, nil).Header.Get("Upload-Offset"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	got := p.tus("PATCH", at, bytes.NewReader(whole), "Upload-Offset", "0")
	if text, _ := io.ReadAll(got.Body); got.StatusCode != http.StatusInsufficientStorage || !strings.Contains(string(text), "full: free some space and try again") {
		t.Fatalf("onto a full disk: got %s %s", got.Status, text)
	}
	came := offset()
	if came != 32<<20 {
		t.Errorf("%d bytes came, want the first part", came)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if got := p.tus("PATCH", at, bytes.NewReader(whole[came:]), "Upload-Offset", fmt.Sprint(came)); got.StatusCode != http.StatusNoContent || offset() != len(whole) {
		t.Errorf("with room: got %s", got.Status)
	}
	uploaded := query[struct{ UploadFiles struct{ ID string } }](p, `mutation($u: ID!) { uploadFiles(input: {repository: "repository-1", files: [{path: "a", upload: $u}]}) { id } }`,
		map[string]any{"u": strings.TrimPrefix(at, "/api/v1/uploads/")}).UploadFiles.ID
	if last := p.follow(uploaded); last.State != "COMPLETED" {
		t.Fatalf("got %+v %+v", last, last.Error)
	}
	p.serve("own")
	if got := p.get("/content/own/a"); !bytes.Equal(got, whole) {
		t.Errorf("got %d bytes", len(got))
	}
}
