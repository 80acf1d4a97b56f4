package servers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// miniredisName is what the stand-in calls itself.
const miniredisName = "miniredis 2.40 in this process, not Redis"

type miniRedis struct {
	server  *miniredis.Miniredis
	numbers *numbers
	done    chan struct{}
	ticked  chan struct{}
}

func startMiniredis(ctx context.Context, o Options) (*Server, error) {
	// The library's own error does not say what to do about a port in use.
	l, err := listen(o.Listen)
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	m := &miniRedis{server: miniredis.NewMiniRedis(), numbers: newNumbers(redisDatabases), done: make(chan struct{}), ticked: make(chan struct{})}
	if err := m.server.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	go m.tick()
	err = withRedis(ctx, addr, 0, func(c *redis.Client) error { return c.Ping(ctx).Err() })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the stand-in does not answer: %w", err), m.stop(ctx))
	}
	return &Server{Addr: addr, Version: miniredisName, Standin: true, Vars: redisVars("0"), Dir: o.Dir, backend: m}, nil
}

// tick makes keys expire: miniredis' clock stands still unless it is told.
func (m *miniRedis) tick() {
	defer close(m.ticked)
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-m.done:
			return
		case now := <-t.C:
			m.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

func (m *miniRedis) namespace(context.Context, string) (*Namespace, error) {
	return m.numbers.namespace(func(_ context.Context, database int) error {
		m.server.DB(database).FlushDB()
		return nil
	})
}

func (m *miniRedis) stop(context.Context) error {
	close(m.done)
	<-m.ticked
	m.server.Close()
	return nil
}
