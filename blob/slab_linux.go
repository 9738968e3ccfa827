package blob

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is what memory is aligned to, so that the kernel can have it in pages of
// that size: it looks up fewer of them for a write, and the disk gets longer pieces.
const hugePage = 2 << 20

// slab is memory of the kernel's, which gets it back without waiting for a garbage
// collector.
type slab struct {
	bytes []byte // aligned; zero at first
	all   []byte
}

func newSlab(size int) (*slab, error) {
	all, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(all))) % hugePage
	s := &slab{bytes: all[skip:][:size:size], all: all}
	_ = unix.Madvise(s.bytes, unix.MADV_HUGEPAGE) // it is for speed: kernels may have none
	return s, nil
}

// free gives the memory back. Nobody may use its bytes any more.
func (s *slab) free() { _ = unix.Munmap(s.all) } // it fails only for what is none
