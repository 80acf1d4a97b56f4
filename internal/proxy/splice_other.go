//go:build !linux

package proxy

import (
	"errors"
	"fmt"
	"io"
)

// canSplice is false: only Linux moves bytes between sockets in the kernel.
const canSplice = false

func (k *copier) prepareSplice() {}

func (k *copier) spliced() error { return errors.ErrUnsupported }

// pipe is a pipe of the kernel; there is none here.
type pipe struct{}

func dropPipes() {}

// ended is what a read means that brought nothing.
func ended(err error) error {
	if err == nil {
		return io.EOF
	}
	return fmt.Errorf("read: %w", err)
}
