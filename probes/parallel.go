package probes

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// errOther is why the others stop once one of several attempts at a time has failed.
var errOther = errors.New("another one of those asked at the same time failed")

// together makes one attempt of n that are under way at the same time: all must hold. The first that fails ends the others, so that
// its error is the one that counts; the answer is the first one's. It returns when all have ended.
func together(p Probe, n int) Probe {
	return func(ctx context.Context) (Answer, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		var all sync.WaitGroup
		var once sync.Once
		var failed error
		answers := make([]Answer, n)
		last := 0
		for i := range n {
			all.Go(func() {
				got, err := p(ctx)
				answers[i] = got
				if err != nil {
					once.Do(func() {
						last, failed = i, fmt.Errorf("one of %d at once: %w", n, err)
						cancel(errOther)
					})
				}
			})
		}
		all.Wait()
		return answers[last], failed
	}
}
