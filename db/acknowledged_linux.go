package db

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// acknowledged makes the kernel give up a connection if what was sent is not
// acknowledged for as long as a silent peer is probed.
func acknowledged(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil // a socket of this machine
	}
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int((probes * probeEvery).Milliseconds()))
	}); e != nil {
		return e
	}
	return err
}
