//go:build unix && !linux

package blob

import (
	"errors"
	"os"
)

// Only Linux can flush a file system and tell whether anything was lost.
func canFlushAll(string) bool { return false }
func flushAll(*os.File) error { return nil }

func startWriting(*os.File, int64, int64)         {}
func bypassCache(*os.File, bool) error            { return errors.ErrUnsupported }
func reserve(*os.File, int64, int64, int64) error { return errors.ErrUnsupported }
