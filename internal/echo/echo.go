// Package echo is a dependency for tests that need no more than somebody who answers.
package echo

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Start returns the address of a server that answers with what it is told, until the test ends.
func Start(tb testing.TB) string {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("start an echo server: %v", err)
	}
	var (
		work sync.WaitGroup
		mu   sync.Mutex
		open []net.Conn
	)
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			work.Go(func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			})
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	return l.Addr().String()
}
