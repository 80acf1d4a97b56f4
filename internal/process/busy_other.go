//go:build !linux

package process

import "time"

// Busy is not known here.
func (p *Process) Busy() bool { return false }

// Worked is not known here.
func (p *Process) Worked() time.Duration { return 0 }
