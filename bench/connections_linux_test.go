package bench

import (
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// connections makes connections that ask once, by one worker and by 16.
func connections(t *testing.T, o options) table {
	peers := startPeers(t, o, serve(t, 32, answerOnce))
	r := interleave(t, o, func(name string) figures {
		p := peers[name]
		if p == nil {
			return nil
		}
		f := figures{}
		for _, workers := range []int{1, 16} {
			before := p.cpu(t)
			made, took := connect(t, p.addr, workers, o.turn)
			f[fmt.Sprintf("rate-%d", workers)] = float64(made) / took.Seconds()
			f[fmt.Sprintf("cpu-%d", workers)] = (p.cpu(t) - before) / float64(made) * 1e6
		}
		return f
	})
	return tabulate(r,
		plain("1 worker /s", "rate-1"), versus("haproxy", "rate-1"), versus("stock", "rate-1"), plain("proxy CPU us each", "cpu-1"),
		plain("16 workers /s", "rate-16"), versus("haproxy", "rate-16"), versus("stock", "rate-16"), plain("proxy CPU us each", "cpu-16"))
}

// answerOnce answers one request and closes.
func answerOnce(s socket) {
	var request [8]byte
	if _, err := io.ReadFull(s, request[:]); err == nil {
		_, _ = s.Write(request[:])
	}
}

// connect lets workers connect, ask, and read to the end, again and again for a while.
func connect(t *testing.T, to netip.AddrPort, workers int, turn time.Duration) (int64, time.Duration) {
	t.Helper()
	var made atomic.Int64
	var all errgroup.Group
	start := time.Now()
	for range workers {
		all.Go(func() error {
			for time.Since(start) < turn {
				if err := askOnce(to); err != nil {
					return fmt.Errorf("connection %d: %w", made.Load(), err)
				}
				made.Add(1)
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
	return made.Load(), time.Since(start)
}

func askOnce(to netip.AddrPort) error {
	s, err := dial(to)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := s.Write([]byte("question")); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(s, 64))
	if err == nil && len(answer) != 8 {
		err = fmt.Errorf("got %d bytes of 8", len(answer))
	}
	return err
}
