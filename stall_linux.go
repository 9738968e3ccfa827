package main

import (
	"context"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listen listens on an address. The kernel gives up each connection on which
// nothing of what was sent could be passed on for so long, if that is not 0: the
// client does not read, or is gone. It holds in the midst of a file that the
// kernel sends by itself, and costs an answer nothing.
func listen(ctx context.Context, address string, stall time.Duration) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		e := c.Control(func(fd uintptr) {
			// What is accepted inherits it.
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(stall.Milliseconds()))
		})
		if e != nil {
			return e
		}
		return err
	}}
	return config.Listen(ctx, "tcp", address)
}
