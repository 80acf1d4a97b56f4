//go:build !linux

package process

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// family is only the process group here: without /proc nobody else is found.
type family struct {
	main int

	mu       sync.Mutex
	mainDone bool
}

func newFamily(main int, _ string) *family { return &family{main: main} }

func (f *family) mainGone() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mainDone = true
}

func (f *family) learn() {}

// end kills the group once more. A group number is not reused while the group
// has members, and an empty group is told by ESRCH.
func (f *family) end(_, _ time.Duration) ([]Survivor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := syscall.Kill(-f.main, syscall.SIGKILL)
	if err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM) {
		return nil, fmt.Errorf("end the service: kill group %d: %w", f.main, err)
	}
	if err == nil && f.mainDone {
		return []Survivor{{PID: f.main, Cmdline: "(its process group)"}}, nil
	}
	return nil, nil
}
