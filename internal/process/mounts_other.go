//go:build !linux

package process

import (
	"errors"
	"fmt"
	"runtime"
)

func mountResolvConf(string) error {
	return fmt.Errorf("it needs mount namespaces, which are Linux's, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// OwnResolvConf tells whether a service can be given a resolv.conf of its own
// here: it can't.
func OwnResolvConf() error { return fmt.Errorf("%w: %w", ErrNoResolvConf, mountResolvConf("")) }
