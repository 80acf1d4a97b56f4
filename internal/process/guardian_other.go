//go:build !linux

package process

import (
	"errors"
	"fmt"
	"syscall"
)

// group is a watched process group.
type group struct{ pgid int }

func holdStart(int) {}
func dropStart(int) {}

// identify can tell nothing about a group without /proc, and trusts the runner.
func identify(pgid int, _ string) (group, bool) { return group{pgid: pgid}, pgid > 1 }

// killAll kills the watched groups; markers can't be read here.
func (g *guardian) killAll() error {
	var errs []error
	for _, groups := range g.watched {
		for _, w := range groups {
			err := syscall.Kill(-w.pgid, syscall.SIGKILL)
			if err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, fmt.Errorf("clean up after the runner: kill group %d: %w", w.pgid, err))
			}
		}
	}
	return errors.Join(errs...)
}
