//go:build !unix || aix

package plainhttp

import "syscall"

// canProbe is whether isQuiet can tell.
const canProbe = false

func isQuiet(syscall.RawConn) bool { return false }
