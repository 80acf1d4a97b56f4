// Package session keeps what must be fast and may expire, session state and
// copies of threads, in Redis.
//
// It refuses to hide a failed command: there is no fallback and no local copy.
package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const lifetime = time.Hour

// ErrMissing is returned for a key that is not there, or no longer.
var ErrMissing = errors.New("not in the cache")

// poolSize is how many connections a cache opens at most.
const poolSize = 5

// Cache is a pool of Redis connections; safe for concurrent use.
type Cache struct{ client *redis.Client }

// Options parses a redis://user:password@host:port/db URL. The error never
// repeats the URL, which may hold a password.
func Options(url string) (*redis.Options, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("not a Redis URL like redis://:password@host:6379/0")
	}
	return options, nil
}

// Open makes a client without connecting. timeout limits a dial and, where a
// call's context allows longer, a command.
func Open(url string, timeout time.Duration) (*Cache, error) {
	options, err := Options(url)
	if err != nil {
		return nil, err
	}
	// The library's own retries would multiply the ones of the startup policy.
	options.MaxRetries, options.DialerRetries = -1, 1
	options.PoolSize = poolSize
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = timeout, timeout, timeout
	options.ContextTimeoutEnabled = true
	// RESP2 without client identification: one round trip less per connection,
	// and every server understands it.
	options.Protocol, options.DisableIdentity = 2, true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	dialer := &net.Dialer{Timeout: timeout}
	options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, addr)
	}
	return &Cache{client: redis.NewClient(options)}, nil
}

// Close ends all connections, the ones in use too: a command that waits for an
// answer fails at once.
func (c *Cache) Close() error { return c.client.Close() }

// Ping proves that the server answers.
func (c *Cache) Ping(ctx context.Context) error {
	return c.run(ctx, "ping", func() error { return c.client.Ping(ctx).Err() })
}

// RoundTrip proves that a key can be written, read back and removed.
func (c *Cache) RoundTrip(ctx context.Context, key string) error {
	key = "smd:check:" + key
	if err := c.run(ctx, "set", func() error { return c.client.Set(ctx, key, key, time.Minute).Err() }); err != nil {
		return err
	}
	var got string
	if err := c.run(ctx, "get", func() (err error) { got, err = c.client.Get(ctx, key).Result(); return err }); err != nil {
		return err
	}
	if got != key {
		return fmt.Errorf("key %s was read back different from what was written", key)
	}
	return c.run(ctx, "del", func() error { return c.client.Del(ctx, key).Err() })
}

// Put stores value as JSON under kind and id for an hour.
func (c *Cache) Put(ctx context.Context, kind, id string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", kind, id, err)
	}
	return c.run(ctx, "set "+kind, func() error { return c.client.Set(ctx, "smd:"+kind+":"+id, body, lifetime).Err() })
}

// Get decodes what Put stored into value, or returns ErrMissing.
func (c *Cache) Get(ctx context.Context, kind, id string, value any) error {
	return c.run(ctx, "get "+kind, func() error {
		body, err := c.client.Get(ctx, "smd:"+kind+":"+id).Bytes()
		if errors.Is(err, redis.Nil) {
			return ErrMissing
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(body, value)
	})
}

// Remove forgets what Put stored.
func (c *Cache) Remove(ctx context.Context, kind, id string) error {
	return c.run(ctx, "del "+kind, func() error { return c.client.Del(ctx, "smd:"+kind+":"+id).Err() })
}

// run names the operation in its error and puts the end of the context, which
// the client reports as a plain I/O timeout, into it.
func (c *Cache) run(ctx context.Context, op string, do func() error) error {
	err := do()
	switch {
	case err == nil, errors.Is(err, ErrMissing):
		return err
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		return fmt.Errorf("%s: %w: %w", op, ctx.Err(), err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// Permanent reports errors that waiting does not mend: a wrong or missing
// password, a forbidden command.
func Permanent(err error) bool {
	if err == nil {
		return false
	}
	for _, word := range []string{"NOAUTH", "WRONGPASS", "NOPERM"} {
		if strings.Contains(err.Error(), word) {
			return true
		}
	}
	return false
}
