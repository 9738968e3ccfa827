package blobtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ream/blob"
	"ream/fault"
)

// testVerify spoils blobs. What is damaged is moved aside, and what is stored
// again afterwards is good.
func testVerify(t *testing.T, o Opened) {
	Store(t, o, "intact", "spoiled", "longer", "empty")
	for body, other := range map[string]string{"spoiled": "sp0iled", "longer": "longer!", "empty": ""} {
		o.Spoil(t, Digest(body), other)
	}
	check := func(body string, want blob.Condition) {
		t.Helper()
		if got, err := o.Verify(t.Context(), Digest(body), int64(len(body))); got != want || err != nil {
			t.Errorf("Verify of %q: got %v, %v, want %v", body, got, err, want)
		}
	}
	check("intact", blob.Intact)
	check("unknown", blob.Missing)
	if got, err := o.Verify(t.Context(), "no digest", 1); got != blob.Missing || err != nil {
		t.Errorf("Verify of no digest: got %v, %v", got, err)
	}
	for _, body := range []string{"spoiled", "longer", "empty"} {
		check(body, blob.Damaged)
		check(body, blob.Missing)
		CheckMissing(t, o, body)
	}
	quarantined := o.Quarantined(t)
	if len(quarantined) != 3 {
		t.Errorf("moved aside: got %v, want three", quarantined)
	}
	for name, body := range quarantined {
		if digest, _, _ := strings.Cut(name, "."); body == "sp0iled" && digest != Digest("spoiled") {
			t.Errorf("moved aside: got %q at %s, want its digest in the name", body, name)
		}
	}
	for stored, err := range o.Stored(t.Context(), "") {
		if err != nil || stored.SHA256 != Digest("intact") {
			t.Errorf("stored: got %v, %v, want what is intact alone", stored, err)
		}
	}
	Store(t, o, "spoiled")
	check("spoiled", blob.Intact)
	Check(t, o, "spoiled")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Verify(canceled, Digest("intact"), 6); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify, canceled: got %v", err)
	}
}

// testAside removes one of the blobs that were moved aside.
func testAside(t *testing.T, o Opened) {
	aside := func() (all []blob.Aside) {
		t.Helper()
		for a, err := range o.Aside(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, a)
		}
		return all
	}
	if got := aside(); len(got) > 0 {
		t.Errorf("of nothing: got %v", got)
	}
	began := time.Now().Truncate(time.Microsecond)
	want := map[string]int64{Digest("gone"): 4, Digest("kept"): 6}
	for body, other := range map[string]string{"gone": "g0ne", "kept": "longer", "intact": "intact"} {
		Store(t, o, body)
		o.Spoil(t, Digest(body), other)
		if _, err := o.Verify(t.Context(), Digest(body), int64(len(body))); err != nil {
			t.Fatal(err)
		}
	}
	found := aside()
	for i, a := range found {
		if size, ok := want[a.SHA256]; !ok || a.Size != size || a.At.Before(began) || a.At.After(time.Now()) || i > 0 && a.SHA256 <= found[i-1].SHA256 {
			t.Errorf("got %+v of %v", a, found)
		}
	}
	if len(found) != len(want) {
		t.Fatalf("got %v, want two", found)
	}
	for _, a := range found {
		if a.SHA256 != Digest("gone") {
			continue
		}
		for range 2 { // the second time it is gone
			if err := o.RemoveAside(t.Context(), a); err != nil {
				t.Error(err)
			}
		}
	}
	if left := aside(); len(left) != 1 || left[0].SHA256 != Digest("kept") || len(o.Quarantined(t)) != 1 {
		t.Errorf("left: got %v", left)
	}
	Check(t, o, "intact")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range o.Aside(canceled) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: got %v", err)
		}
	}
}

func testClean(t *testing.T, o Opened) {
	Store(t, o, "kept")
	const long = "staged in a file, as it is long"
	s := Stage(t, o, long)
	w, err := o.CreateSized(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	// What a living process has staged is not abandoned, however old.
	if err := o.Clean(t.Context(), 0); err != nil {
		t.Fatalf("Clean: %v", err)
	}
	if left := Leftovers(t, o.Staging); len(left) != 2 {
		t.Errorf("staged files: got %v, want both", left)
	}
	if err := o.Commit(t.Context(), []blob.Staged{s}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	Check(t, o, "kept")
	Check(t, o, long)
}

// testVanished takes the storage away for a while, as when a file system is not
// mounted or a bucket was renamed: nothing is known of what is in it then.
func testVanished(t *testing.T, o Opened) {
	const long = "staged in a file, as it is long"
	Store(t, o, "kept", long)
	staged := []blob.Staged{Stage(t, o, "new"), Stage(t, o, "new, and staged in a file")}
	back := o.Vanish(t)
	wantAway := func(what string, err error) {
		t.Helper()
		if !fault.Is(err, fault.Unavailable) || !strings.HasPrefix(fault.Message(err), "the storage ") {
			t.Errorf("%s: got %v, want that the storage is away", what, err)
		}
	}
	for _, body := range []string{"kept", long, "unknown"} {
		_, err := o.Verify(t.Context(), Digest(body), int64(len(body)))
		wantAway("Verify", err)
		f, err := o.Open(t.Context(), Digest(body), int64(len(body)))
		if err == nil {
			_, err = f.Read(make([]byte, 1))
			f.Close()
		}
		wantAway("reading", err)
		if removed, err := o.Remove(t.Context(), []string{Digest(body)}, 0); len(removed) > 0 {
			t.Errorf("Remove: got %v, %v", removed, err)
		} else {
			wantAway("Remove", err)
		}
	}
	for _, err := range o.Stored(t.Context(), "") {
		wantAway("Stored", err)
	}
	id, err := o.Identity(t.Context())
	wantAway("Identity", err)
	if id != "" {
		t.Errorf("Identity: got %q", id)
	}
	_, err = o.Identify(t.Context(), "another")
	wantAway("Identify", err)
	for _, s := range staged {
		wantAway("Commit", o.Commit(t.Context(), []blob.Staged{s}))
	}
	back()
	if got, err := o.Verify(t.Context(), Digest("kept"), 4); got != blob.Intact || err != nil {
		t.Errorf("once it is back: got %v, %v", got, err)
	}
	if err := o.Commit(t.Context(), staged); err != nil {
		t.Errorf("Commit once it is back: %v", err)
	}
	for _, body := range []string{"kept", long, "new", "new, and staged in a file"} {
		Check(t, o, body)
	}
}
