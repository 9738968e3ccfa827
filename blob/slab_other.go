//go:build !linux

package blob

// slab is memory for direct writes, which only Linux has.
type slab struct{ bytes []byte }

func newSlab(size int) (*slab, error) { return &slab{make([]byte, size)}, nil }

func (*slab) free() {}
