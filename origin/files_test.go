package origin

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"ream/content"
	"ream/fault"
)

// some is a Lookup of publications that have a directory or nothing at paths
// that begin so, and a file at every other.
type some struct{ Lookup }

func (some) PublishedFile(_ context.Context, _ content.PublicationID, path string) (*content.PublishedFile, error) {
	if strings.HasPrefix(path, "none-") {
		return nil, fault.New(fault.NotFound, "nothing")
	}
	return &content.PublishedFile{Path: path, IsDir: strings.HasPrefix(path, "dir-"), SHA256: content.Digest(fmt.Sprintf("%064x", len(path))), Size: int64(len(path)), ModifiedAt: time.Unix(1, 0), Stored: true}, nil
}

func (some) PublishedPaths(context.Context, content.PublicationID, func(string) bool) error {
	return fault.New(fault.Unavailable, "there is no end of them")
}

// TestFilesAreBounded asks for long paths of many publications, of which each
// has its own: what is kept of them is what there is room for, and all are found.
func TestFilesAreBounded(t *testing.T) {
	t.Parallel()
	const most = 100 << 10
	c := newFiles(some{}, most, 1<<20)
	tail := strings.Repeat("/123456789", 100)
	for i := range 1000 {
		for _, tail := range []string{tail, ""} {
			id, path := content.PublicationID(i%50), fmt.Sprint("file-", i, tail)
			f, err := c.find(t.Context(), id, path)
			if err != nil || f.head.Get("Content-Length") != fmt.Sprint(len(path)) || f.etag[0] != `"`+f.sha256+`"` || f.sha256 != fmt.Sprintf("%064x", len(path)) {
				t.Fatalf("%s: got %+v, %v", path, f, err)
			}
			if f, err := c.find(t.Context(), id, fmt.Sprint("none-", i, tail)); !fault.Is(err, fault.NotFound) {
				t.Fatalf("a path where nothing is: got %+v, %v", f, err)
			}
		}
		if f, err := c.find(t.Context(), 1, fmt.Sprint("dir-", i)); err != nil || !f.isDir {
			t.Fatalf("a directory: got %+v, %v", f, err)
		}
	}
	var files, misses int
	for key, f := range c.known.all {
		files += c.known.cost(key, f)
	}
	for key := range c.missed.all {
		misses += c.missed.cost(key, struct{}{})
	}
	if files != c.known.held || files > most || files < most/2 {
		t.Errorf("files: got %d bytes, %d counted, want up to %d", files, c.known.held, most)
	}
	if misses != c.missed.held || misses > most/8 || misses < most/16 {
		t.Errorf("misses: got %d bytes, %d counted, want up to %d", misses, c.missed.held, most/8)
	}
}

func BenchmarkFound(b *testing.B) {
	c := newFiles(some{}, 48<<20, 16<<20)
	paths := make([]string, 1000)
	for i := range paths {
		paths[i] = fmt.Sprintf("pool/main/l/library/library-%d_1.0_amd64.deb", i)
	}
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := c.find(b.Context(), 1, paths[i%len(paths)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkFoundAnew(b *testing.B) {
	for _, length := range []int{40, 1000} {
		b.Run(fmt.Sprint("paths of ", length), func(b *testing.B) {
			c := newFiles(some{}, 48<<20, 16<<20)
			tail := strings.Repeat("/123456789", length/10-1)
			b.ReportAllocs()
			for i := range b.N {
				if _, err := c.find(b.Context(), content.PublicationID(i>>20), fmt.Sprintf("%010d%s", i, tail)); err != nil {
					b.Fatal(err)
				}
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB")
			runtime.KeepAlive(c)
		})
	}
}
