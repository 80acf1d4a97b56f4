//go:build !linux

package process

// Busy is not known here.
func (p *Process) Busy() bool { return false }
