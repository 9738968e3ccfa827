package blob_test

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"ream/blob"
)

// BenchmarkSmall stores 10,000 blobs of 4 KiB, 2,000 at a time, as a sync does.
func BenchmarkSmall(b *testing.B) {
	body := make([]byte, 4<<10)
	for n := range b.N {
		d, err := blob.NewDisk(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		for batch := range 5 {
			var staged []blob.Staged
			for i := range 2000 {
				binary.BigEndian.PutUint64(body, uint64(n)<<32|uint64(batch<<16|i))
				staged = append(staged, benchStage(b, d, body, 1))
			}
			if err := d.Commit(b.Context(), staged); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(10_000 * 4 << 10)
}

// BenchmarkLarge stores one blob of 500 MiB.
func BenchmarkLarge(b *testing.B) {
	body := make([]byte, 1<<20)
	for n := range b.N {
		d, err := blob.NewDisk(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		binary.BigEndian.PutUint64(body, uint64(n))
		if err := d.Commit(b.Context(), []blob.Staged{benchStage(b, d, body, 500)}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(500 << 20)
}

// BenchmarkSHA256 is what hashing alone allows.
func BenchmarkSHA256(b *testing.B) {
	body := make([]byte, 1<<20)
	b.SetBytes(int64(len(body)))
	hash := sha256.New()
	for b.Loop() {
		hash.Write(body)
	}
}

// benchStage stages body, times times.
func benchStage(b *testing.B, d *blob.Disk, body []byte, times int) blob.Staged {
	w, err := d.CreateSized(int64(times * len(body)))
	if err != nil {
		b.Fatal(err)
	}
	for range times {
		// As bytes arrive from a connection.
		for rest := body; len(rest) > 0; rest = rest[min(len(rest), 32<<10):] {
			if _, err := w.Write(rest[:min(len(rest), 32<<10)]); err != nil {
				b.Fatal(err)
			}
		}
	}
	s, err := w.Finish()
	if err != nil {
		b.Fatal(err)
	}
	return s
}
