package blob

import (
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// aio writes parts of files while its owner goes on (io_submit(2)). A write that
// waits for the disk would hold one of Go's threads of execution, of which there
// are as many as processors, until the runtime notices. It is not safe for
// concurrent use.
type aio struct {
	context uintptr
	ended   *os.File // an eventfd, readable when a write has ended: Go waits for it without a thread
	request iocb
	list    *iocb // the request, as the kernel wants it
	events  []ioEvent
}

// iocb and ioEvent are as in linux/aio_abi.h.
type iocb struct {
	data    uint64
	_       [2]uint32
	opcode  uint16
	_       int16
	fd      uint32
	address uint64
	length  uint64
	offset  int64
	_       uint64
	flags   uint32
	eventFD uint32
}

type ioEvent struct {
	data   uint64
	_      uint64
	result int64
	_      int64
}

const (
	iocbWrite   = 1 // IOCB_CMD_PWRITE
	iocbEventFD = 1 // IOCB_FLAG_RESFD
)

// newAIO is for so many writes at once. The machine may have no more for anybody.
func newAIO(most int) (*aio, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	a := &aio{ended: os.NewFile(uintptr(fd), "eventfd"), events: make([]ioEvent, most)}
	if err := a.ended.SetReadDeadline(time.Time{}); err != nil { // Go's poller cannot watch it
		a.ended.Close()
		return nil, err
	}
	a.request = iocb{opcode: iocbWrite, flags: iocbEventFD, eventFD: uint32(fd)}
	a.list = &a.request
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, uintptr(most), uintptr(unsafe.Pointer(&a.context)), 0); errno != 0 {
		a.ended.Close()
		return nil, os.NewSyscallError("io_setup", errno)
	}
	return a, nil
}

// start begins to write p, which is not garbage collected memory, at a place of a
// file. Reap tells of it by n.
func (a *aio) start(n int, f *os.File, p []byte, at int64) error {
	a.request.data, a.request.fd, a.request.offset = uint64(n), uint32(f.Fd()), at
	a.request.address, a.request.length = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))), uint64(len(p))
	_, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, a.context, 1, uintptr(unsafe.Pointer(&a.list)))
	runtime.KeepAlive(f)
	if errno != 0 {
		return os.NewSyscallError("io_submit", errno)
	}
	return nil
}

// reap tells of the writes that have ended since, by their n and how many bytes
// were written or, if negative, why not. If it is to wait, there is one at least,
// so one must have been started.
func (a *aio) reap(wait bool, each func(n int, written int64)) error {
	for {
		ended, _, errno := unix.Syscall6(unix.SYS_IO_GETEVENTS, a.context, 0, uintptr(len(a.events)), uintptr(unsafe.Pointer(unsafe.SliceData(a.events))), 0, 0)
		if errno == unix.EINTR { // it waits for nothing, and still tells of signals if nothing has ended
			continue
		}
		if errno != 0 {
			return os.NewSyscallError("io_getevents", errno)
		}
		for _, event := range a.events[:ended] {
			each(int(event.data), event.result)
		}
		if ended > 0 || !wait {
			return nil
		}
		var count [8]byte // of writes, some of which were told of before
		if _, err := a.ended.Read(count[:]); err != nil {
			return err
		}
	}
}

// close waits for the writes that have not ended.
func (a *aio) close() {
	_, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, a.context, 0, 0) // it fails only for what is none
	a.ended.Close()
}
