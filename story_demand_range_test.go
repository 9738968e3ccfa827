package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRangesOnDemand asks for parts of a large file that is not stored: a part
// comes without the whole, and the rest of the file stores it.
func TestRangesOnDemand(t *testing.T) {
	eachDepot(t, func(t *testing.T, p *program, _ depot) {
		file := bytesOf(5 << 20)
		dir := t.TempDir()
		for name, body := range map[string][]byte{"large": file, "PULP_MANIFEST": []byte(manifestOf(map[string][]byte{"large": file}))} {
			if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		up := httptest.NewServer(http.FileServer(http.Dir(dir))) // which gives ranges
		t.Cleanup(up.Close)
		p.onDemand("r", &upstream{Server: up})
		size := len(file)
		for _, tt := range []struct {
			asked, validator string
			from, to         int
			stored           bool
		}{
			{"bytes=1000-1499", "", 1000, 1500, false},
			{"bytes=-65536", "", size - 65536, size, false}, // where a zip has its directory
			{"bytes=0-9", "of another file", 0, size, true},
			{"bytes=-1", "", size - 1, size, true},
			{fmt.Sprintf("bytes=%d-", size-10), "", size - 10, size, true},
		} {
			headers := []string{"Range", tt.asked}
			if tt.validator != "" {
				headers = append(headers, "If-Range", `"`+tt.validator+`"`)
			}
			response, got, err := p.ask(http.MethodGet, "/content/r/large", headers...)
			status, place := http.StatusPartialContent, fmt.Sprintf("bytes %d-%d/%d", tt.from, tt.to-1, size)
			if tt.to-tt.from == size {
				status, place = http.StatusOK, ""
			}
			if err != nil || response.StatusCode != status || response.Header.Get("Content-Range") != place {
				t.Errorf("%s: got %v, %s %q, want %d %q", tt.asked, err, response.Status, response.Header.Get("Content-Range"), status, place)
			}
			if string(got) != string(file[tt.from:tt.to]) {
				t.Errorf("%s: got %d other bytes", tt.asked, len(got))
			}
			if digest := response.Header.Get("Repr-Digest"); !strings.HasPrefix(digest, "sha-256=:") {
				t.Errorf("%s: got Repr-Digest %q", tt.asked, digest)
			}
			if tt.stored {
				await(t, "it is stored", func() bool { return p.storedUnits("r")["large"] })
			} else if p.storedUnits("r")["large"] {
				t.Errorf("%s: the whole was fetched", tt.asked)
			}
		}
	})
}
