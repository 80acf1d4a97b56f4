package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/lib/pq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

// sightLimit is the clients' own time limit, where a sight is of that.
const sightLimit = time.Second

// driver asks a server once: with limit as its own time limit for all that it does. open opens a connection, on which ask then asks.
type driver struct {
	upstream string
	open     func(ctx context.Context, addr string, limit time.Duration) (asker, error)
}

type asker struct {
	ask   func(ctx context.Context) error
	close func()
}

func openPgx(ctx context.Context, addr string, _ time.Duration) (asker, error) {
	c, err := pgx.Connect(ctx, "postgres://app:secret@"+addr+"/app?sslmode=disable")
	if err != nil {
		return asker{}, err
	}
	return asker{
		ask: func(ctx context.Context) error {
			var n int
			return c.QueryRow(ctx, "select id from orders where id = $1", 1).Scan(&n)
		},
		close: func() { _ = c.Close(context.WithoutCancel(ctx)) },
	}, nil
}

// openPQ sets connect_timeout too: a context does not end the wait for the server's first answer.
func openPQ(ctx context.Context, addr string, limit time.Duration) (asker, error) {
	db, err := sql.Open("postgres", fmt.Sprintf("postgres://app:secret@%s/app?sslmode=disable&connect_timeout=%d", addr, int(limit.Seconds())))
	if err != nil {
		return asker{}, err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return asker{}, err
	}
	return asker{
		ask: func(ctx context.Context) error {
			var n int
			return c.QueryRowContext(ctx, "select id from orders where id = $1", 1).Scan(&n)
		},
		close: func() { _ = c.Close(); _ = db.Close() },
	}, nil
}

// openRedis returns a client with one connection, that is opened by the first question.
func openRedis(_ context.Context, addr string, limit time.Duration) (asker, error) {
	c := redis.NewClient(&redis.Options{Addr: addr, PoolSize: 1, MaxRetries: -1, DialerRetries: 1, DialTimeout: limit, ReadTimeout: limit, WriteTimeout: limit})
	return asker{ask: func(ctx context.Context) error { return c.Set(ctx, "k", "v", 0).Err() }, close: func() { _ = c.Close() }}, nil
}

func openHTTP(_ context.Context, addr string, limit time.Duration) (asker, error) {
	transport := &http.Transport{}
	c := &http.Client{Transport: transport, Timeout: limit}
	ask := func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
		if err != nil {
			return err
		}
		response, err := c.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err = io.Copy(io.Discard, response.Body); err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s", response.Status) // net/http itself returns no error
		}
		return err
	}
	return asker{ask: ask, close: transport.CloseIdleConnections}, nil
}

func sightDrivers(t *testing.T) map[string]driver {
	database, cache := shop(t).Addr, startRedis(t, t.TempDir()).addr
	s := session(t, database, "app", "app")
	s.hear(1)
	require.Contains(t, s.ask("insert into orders values (1)"), "INSERT")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("ok ", 700)) }))
	t.Cleanup(web.Close)
	return map[string]driver{
		"pgx": {database, openPgx}, "lib/pq": {database, openPQ}, "go-redis": {cache, openRedis}, "net/http": {web.Listener.Addr().String(), openHTTP},
	}
}

// see lets a driver meet the fault and returns its error. A fault that resets what is open must have done so before the driver goes on: the RST is what it is to
// meet, not the moment before it.
func (d driver) see(ctx context.Context, p *proxy.Proxy, s faults.Sight, resets bool) error {
	limit := patience
	if s.Limit {
		limit = sightLimit
	}
	addr := p.Addr().String()
	if !s.Open {
		p.Arm("f1")
	}
	limited, stop := context.WithTimeout(ctx, limit)
	defer stop()
	a, err := d.open(limited, addr, limit)
	if err != nil {
		return err
	}
	defer a.close()
	if s.Open {
		if err := a.ask(ctx); err != nil {
			return fmt.Errorf("before the fault: %w", err)
		}
		p.Arm("f1")
		for resets && p.Open() > 0 && ctx.Err() == nil {
			runtime.Gosched()
		}
		var again context.CancelFunc
		limited, again = context.WithTimeout(ctx, limit)
		defer again()
	}
	return a.ask(limited)
}

func parseSight(t *testing.T, kind, with string) faults.Spec {
	t.Helper()
	var value any
	require.NoError(t, yaml.Unmarshal([]byte(with), &value))
	spec, problems := faults.Parse(kind, value)
	require.Empty(t, problems, "%s: %s", kind, with)
	return spec
}

// meeting is one sight, and what came of it.
type meeting struct {
	kind   string
	sight  faults.Sight
	resets bool // what is open
	proxy  *proxy.Proxy
	err    error
	took   time.Duration
}

// TestSights: what the catalogue says that clients see is what they see.
func TestSights(t *testing.T) {
	programsOnly(t)
	drivers := sightDrivers(t)
	var all []*meeting
	for _, k := range faults.Builtin() {
		require.NotEmpty(t, k.Sees, "%s: what do clients see of it?", k.Name)
		seen := map[string]bool{}
		for _, s := range k.Sees {
			seen[s.Client] = true
			d, ok := drivers[s.Client]
			if !ok || elsewhere[k.Name] {
				continue
			}
			fault := parseSight(t, k.Name, s.With)
			p, err := proxy.Start(t.Context(), proxy.Config{Name: k.Name, Upstream: d.upstream, Seed: 1, Injections: []proxy.Injection{{ID: "f1", Fault: fault}}})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, p.Close(context.WithoutCancel(t.Context()))) })
			if k.Name == "max_connections" {
				holder, err := net.Dial("tcp", p.Addr().String())
				require.NoError(t, err)
				t.Cleanup(func() { holder.Close() })
				require.Eventually(t, func() bool { return p.Stats().Open == 1 }, patience, time.Millisecond)
			}
			all = append(all, &meeting{kind: k.Name, sight: s, resets: fault.Behaviour().Open == faults.ResetOpen, proxy: p})
		}
		if k.Protocols == nil && !elsewhere[k.Name] && !strings.HasSuffix(k.Name, "_error") { // it is for every protocol
			for client := range drivers {
				assert.True(t, seen[client], "%s: what does %s see of it?", k.Name, client)
			}
		}
	}
	meet(t.Context(), drivers, all)
	for _, m := range all {
		m.check(t)
	}
}

// meet lets some happen at a time: most only wait.
func meet(ctx context.Context, drivers map[string]driver, all []*meeting) {
	var work sync.WaitGroup
	room := make(chan struct{}, 12)
	for _, m := range all {
		room <- struct{}{}
		work.Go(func() {
			defer func() { <-room }()
			m.meet(ctx, drivers[m.sight.Client])
		})
	}
	work.Wait()
}

// meet bounds the time of a driver that does not keep its limit, and ends its wait with the proxy.
func (m *meeting) meet(ctx context.Context, d driver) {
	began, done := time.Now(), make(chan error, 1)
	go func() { done <- d.see(ctx, m.proxy, m.sight, m.resets) }()
	tolerance := 2 * patience
	if m.sight.Limit {
		tolerance = 3 * sightLimit
	}
	select {
	case m.err = <-done:
		m.took = time.Since(began)
	case <-time.After(tolerance):
		m.took = time.Since(began)
		m.proxy.Disable()
		m.err = fmt.Errorf("%s, until %w", faults.WaitsOn, <-done)
	}
}

func (m *meeting) check(t *testing.T) {
	name := fmt.Sprintf("%s %s, %s, open %v", m.kind, m.sight.With, m.sight.Client, m.sight.Open)
	t.Logf("%s: %v", name, m.err)
	if m.sight.Text == faults.NoError {
		assert.NoError(t, m.err, name)
		assert.Eventually(t, func() bool { return m.proxy.Stats().Fault("f1").ConnectionsHit > 0 }, patience, time.Millisecond, "%s: the fault did not bite", name)
		return
	}
	if m.err == nil || !slices.ContainsFunc(m.sight.Or, func(or string) bool { return strings.Contains(m.err.Error(), or) }) {
		assert.ErrorContains(t, m.err, m.sight.Text, name)
	}
	if m.sight.Limit {
		assert.GreaterOrEqual(t, m.took, sightLimit*9/10, "%s: it did not wait", name)
	}
}

// elsewhere are the kinds whose sights other tests of this package hold: they need names, certificates or servers of their own.
var elsewhere = map[string]bool{"dns": true, "tls": true}
