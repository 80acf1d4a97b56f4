//go:build !linux

package process

import (
	"errors"
	"fmt"
	"runtime"
)

// interceptor does not exist here.
type interceptor struct{}

func intercept(func(Attempt) Answer, bool) (*interceptor, error) {
	return nil, fmt.Errorf("it needs seccomp, which is Linux's, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (i *interceptor) letGo()                {}
func (i *interceptor) close() error          { return nil }
func (i *interceptor) counted() Interception { return Interception{} }

// Intercepting tells whether connect(2) can be intercepted here: it can't.
func Intercepting() error {
	_, err := intercept(nil, false)
	return fmt.Errorf("%w: %w", ErrNoInterceptor, err)
}
