package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// interrupts turns the first SIGINT or SIGTERM into the end of a context, so that everything is healed and reported, and the
// second into the end of the program: then the guardian cleans up.
type interrupts struct {
	got  atomic.Int32
	quit chan struct{}
	work sync.WaitGroup
}

// watch returns a context that ends with the first signal. tell is given a line for the user. The caller must call stop.
func watch(ctx context.Context, d deps, tell func(string)) (context.Context, *interrupts) {
	ctx, cancel := context.WithCancelCause(ctx)
	i := &interrupts{quit: make(chan struct{})}
	signals := make(chan os.Signal, 2)
	d.notify(signals, os.Interrupt, syscall.SIGTERM)
	i.work.Go(func() {
		defer cancel(nil)
		for {
			select {
			case s := <-signals:
				code := codeOf(s)
				if i.got.Swap(code) != 0 {
					d.leave(int(code))
				}
				cancel(errors.New("interrupted"))
				tell("interrupted: lifting every fault and stopping what was started; once more to leave at once")
			case <-i.quit:
				return
			}
		}
	})
	return ctx, i
}

func codeOf(s os.Signal) int32 {
	if s == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}

// code is the exit code that the signals ask for, 0 for none.
func (i *interrupts) code() int { return int(i.got.Load()) }

// stop ends the watching. Signals that come later do nothing: it is called when the last output is written.
func (i *interrupts) stop() {
	close(i.quit)
	i.work.Wait()
}
