//go:build !linux

package blob

import (
	"errors"
	"os"
)

// aio is what only Linux has.
type aio struct{}

func newAIO(int) (*aio, error) { return nil, errors.ErrUnsupported }

func (*aio) start(int, *os.File, []byte, int64) error { return errors.ErrUnsupported }
func (*aio) reap(bool, func(int, int64)) error        { return errors.ErrUnsupported }
func (*aio) close()                                   {}
