package blob_test

import (
	"testing"

	"ream/blob/blobtest"
	"ream/fault"
)

// TestLittleRoom stages what is too large for the disk, and what is not.
func TestLittleRoom(t *testing.T) {
	t.Parallel()
	dir, ok := tmpfs(t, "size=1m")
	if !ok {
		return
	}
	server := blobtest.StartS3(t)
	o := server.Options(t, server.Bucket(t))
	o.Staging = dir
	s := newS3(t, o)
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 2<<20)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("too large a blob: got %v, want Unavailable", err)
	}
	w.Abort()
	blobtest.Store(t, s, "fits")
	blobtest.Check(t, s, "fits")
}
