package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
)

// interrupts turns the first SIGINT, SIGTERM or SIGHUP into the end of a context, so that everything is healed and reported, and the
// second into the end of the program: then the guardian cleans up. A second SIGHUP does nothing: a terminal that goes sends several.
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
	d.notify(signals, awaited()...)
	i.work.Go(func() {
		defer cancel(nil)
		for {
			select {
			case s := <-signals:
				code := codeOf(s)
				if !i.got.CompareAndSwap(0, code) {
					if s != syscall.SIGHUP {
						d.leave(int(code))
					}
					continue
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

// awaited are the signals that end a run. Under nohup SIGHUP is ignored, and stays so.
func awaited() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

func codeOf(s os.Signal) int32 {
	switch s {
	case syscall.SIGTERM:
		return exitTerminated
	case syscall.SIGHUP:
		return exitHungUp
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
