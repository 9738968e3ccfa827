package fetch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ream/fault"
	"ream/fetch"
)

func TestGetFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a b%.txt")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "file://" + dir + "/a%20b%25.txt"
	for _, url := range []string{address, strings.Replace(address, "file://", "file://localhost", 1)} {
		c, _ := newClient()
		var s sink
		got, err := c.Get(t.Context(), exactly(url, "hello"), &s)
		check(t, got, err, &s, "hello")
	}

	for _, test := range []struct {
		name    string
		request fetch.Request
		kind    fault.Kind
		message string
	}{
		{"missing", anything("file://" + dir + "/b"), fault.NotFound, "/b: there is no such file"},
		{"directory", anything("file://" + dir), fault.BadInput, ": it is no regular file"},
		{"device", anything("file:///dev/zero"), fault.BadInput, ": it is no regular file"},
		{"wrong digest", fetch.Request{URL: address, Size: 5, SHA256: digest("jello")}, fault.BadInput, ": its SHA-256 is " + digest("hello")},
		{"wrong size", fetch.Request{URL: address, Size: 4}, fault.BadInput, ": it has more than the 4 bytes"},
		{"too large", fetch.Request{URL: address, Size: -1, MaxBytes: 4}, fault.BadInput, ": it has more than 4 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, _ := newClient()
			_, err := c.Get(t.Context(), test.request, &sink{})
			if message := fault.Message(err); !fault.Is(err, test.kind) || !strings.Contains(message, test.message) || !strings.HasPrefix(message, "file:///") {
				t.Errorf("Get: got %v, want %s %q", err, test.kind, test.message)
			}
		})
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, _ := newClient()
	if _, err := c.Get(ctx, anything(address), &sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Get with a canceled context: got %v, want context.Canceled", err)
	}
}
