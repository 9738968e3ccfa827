package blob

import "testing"

// TestMemoryIsBounded stages small blobs until there is no more room for them in
// memory, and finds all of it free again once they are gone.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	d, err := NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const size = smallMost
	stage := func(n byte) Staged {
		w, err := d.CreateSized(size)
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, size)
		body[0], body[1] = n, n
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		s, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var staged []Staged
	for n := 0; n == 0 || staged[n-1].small != nil; n++ {
		if staged = append(staged, stage(byte(n))); n*size > smallInAll {
			t.Fatalf("%d blobs of %d bytes are all in memory", n, size)
		}
	}
	half := len(staged) / 2
	for range 2 {
		for _, s := range staged[:half] {
			d.Discard(s)
		}
	}
	if err := d.Commit(t.Context(), staged[half:]); err != nil {
		t.Fatal(err)
	}
	if used := d.memory.used.Load(); used != 0 {
		t.Errorf("in use: got %d bytes, want none", used)
	}
	for _, size := range []int64{-1, smallMost + 1} {
		w, err := d.CreateSized(size)
		if err != nil {
			t.Fatal(err)
		}
		if w.small != nil {
			t.Errorf("a blob of %d bytes is in memory", size)
		}
		w.Abort()
	}
}
