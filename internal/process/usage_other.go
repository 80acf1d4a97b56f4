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
