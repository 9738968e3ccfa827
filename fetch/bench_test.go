package fetch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"ream/fetch"
)

// BenchmarkGet downloads small files from loopback, 32 at a time: what a file
// costs beside its bytes.
func BenchmarkGet(b *testing.B) {
	whole := strings.Repeat("0123456789abcdef", 256) // 4 KiB
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, whole) }))
	b.Cleanup(up.Close)
	c, _ := newSource(b, fetch.Settings{})
	request := exactly(up.URL+"/a", whole)
	b.ReportAllocs()
	b.SetBytes(int64(len(whole)))
	b.SetParallelism(16) // on two cores
	var failed atomic.Pointer[error]
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			var s sink
			if _, err := c.Get(b.Context(), request, &s); err != nil {
				failed.Store(&err)
			}
		}
	})
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
}
