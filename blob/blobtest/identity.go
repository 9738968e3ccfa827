package blobtest

import (
	"fmt"
	"sync"
	"testing"
)

// testIdentity has many identify a storage at once. All get the same, and so does
// whoever asks later.
func testIdentity(t *testing.T, o Opened) {
	if got, err := o.Identity(t.Context()); got != "" || err != nil {
		t.Errorf("of a new storage: got %q, %v, want none", got, err)
	}
	got := make([]string, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = o.Identify(t.Context(), fmt.Sprint("identity-", i)); err != nil {
				t.Errorf("Identify: %v", err)
			}
		})
	}
	all.Wait()
	for _, id := range got {
		if id == "" || id != got[0] {
			t.Fatalf("at once: got %q, want the same for all", got)
		}
	}
	for b, err := range o.Stored(t.Context(), "") {
		t.Errorf("stored: got %v, %v, want nothing", b, err)
	}
	Store(t, o, "one")
	if id, err := o.Identify(t.Context(), "another"); id != got[0] || err != nil {
		t.Errorf("Identify, again: got %q, %v, want %q", id, err, got[0])
	}
	if id, err := o.Identity(t.Context()); id != got[0] || err != nil {
		t.Errorf("Identity: got %q, %v, want %q", id, err, got[0])
	}
}
