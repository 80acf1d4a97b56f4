//go:build !linux

package proxy

import (
	"errors"
	"time"
)

// reactor is for Linux alone: elsewhere newReactor says so.
type reactor struct{}

func newReactor() (*reactor, error) { return nil, errors.ErrUnsupported }

func (*reactor) run()                  {}
func (*reactor) end()                  {}
func (*reactor) at(t time.Time) *alarm { return &alarm{at: t} }
func (*reactor) forget(*alarm)         {}
func (*reactor) admit(*ride) error     { return errors.ErrUnsupported }
func (*reactor) dismiss(*ride)         {}
func (*reactor) deafen(int)            {}
