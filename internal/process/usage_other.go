//go:build !linux

package process

import (
	"errors"
	"fmt"
)

// Usage needs /proc, and fails here.
func (p *Process) Usage() (Usage, error) {
	return Usage{}, fmt.Errorf("read the usage of process %d: %w (it is read from /proc, on Linux)", p.pid, errors.ErrUnsupported)
}

func (p *Process) samplePeak() {}

// Sockets needs /proc, and fails here.
func (p *Process) Sockets() ([]Socket, error) {
	return nil, fmt.Errorf("read the sockets of process %d: %w (they are read from /proc, on Linux)", p.pid, errors.ErrUnsupported)
}

// Descriptors needs /proc, and fails here.
func (p *Process) Descriptors() (Descriptors, error) {
	return Descriptors{}, fmt.Errorf("read the descriptors of process %d: %w (they are read from /proc, on Linux)", p.pid, errors.ErrUnsupported)
}
