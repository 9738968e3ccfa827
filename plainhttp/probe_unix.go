//go:build unix && !aix

package plainhttp

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// canProbe is whether isQuiet can tell.
const canProbe = true

// isQuiet reports whether a connection is open and nothing waits to be read. It
// does not wait itself.
func isQuiet(raw syscall.RawConn) (quiet bool) {
	err := raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = err == unix.EAGAIN || err == unix.EINTR
		return true
	})
	return quiet && err == nil
}
