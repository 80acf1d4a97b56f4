package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

// flipped runs turn, which sends something, calls sent and reads the answers, while the fault f1 of p comes and goes: each time behind something that
// was just sent, every other time. With late the fault is added to open connections, and removed.
func flipped(t *testing.T, p *proxy.Proxy, spec faults.Spec, late bool, turns int, turn func(sent func())) {
	t.Helper()
	tick, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		on := false
		for range tick {
			switch on = !on; {
			case on && late:
				assert.NoError(t, p.Add(proxy.Injection{ID: "f1", Fault: spec}))
				p.Arm("f1")
			case on:
				p.Arm("f1")
			case late:
				p.Remove("f1")
			default:
				p.Lift("f1")
			}
		}
	}()
	for i := range turns {
		turn(func() {
			if i%2 == 0 {
				tick <- struct{}{}
			}
		})
	}
	close(tick)
	<-done
	if late {
		p.Remove("f1")
	} else {
		p.Lift("f1")
	}
}

// flippable is a proxy before a server, and the fault of flipped.
func flippable(t *testing.T, upstream, kind string, value any, late bool) (*proxy.Proxy, faults.Spec) {
	t.Helper()
	p := before(t, upstream, kind, value)
	spec, problems := faults.Parse(kind, value)
	require.Empty(t, problems)
	if late {
		p.Remove("f1")
	}
	return p, spec
}

// However a fault comes and goes over commands under way, each is answered once: done by the server, or refused in the fault's words and not done.
func TestRedisErrorLiftedUnderLoad(t *testing.T) {
	server := startRedis(t, t.TempDir())
	for _, late := range []bool{false, true} {
		for kind, want := range map[string]string{"LOADING": "-LOADING Redis is loading the dataset in memory\r\n", "READONLY": "-READONLY You can't write against a read only replica.\r\n"} {
			for _, depth := range []int{1, 10, 100} {
				p, spec := flippable(t, server.addr, "redis_error", map[string]any{"kind": kind}, late)
				c := dialRedis(t, p.Addr().String())
				key := fmt.Sprint(kind, depth, late)
				n, refused := 0, 0
				flipped(t, p, spec, late, 300, func(sent func()) {
					_, err := c.Write([]byte(strings.Repeat(wire("INCR", key), depth)))
					require.NoError(t, err)
					sent()
					for range depth {
						switch got := c.answer(t); got {
						case want:
							refused++
						default:
							n++
							require.Equal(t, fmt.Sprintf(":%d\r\n", n), got, key)
						}
					}
				})
				require.Equal(t, "$"+strconv.Itoa(len(strconv.Itoa(n)))+"\r\n"+strconv.Itoa(n)+"\r\n", c.ask(t, "GET", key), "lifted")
				assert.Positive(t, refused, key)
				assert.Positive(t, n, key)
			}
		}
	}
}

// The same in transactions, where something else stands for a refused command: they are done, or fail as a whole.
func TestRedisErrorLiftedInTransactions(t *testing.T) {
	server := startRedis(t, t.TempDir())
	for _, late := range []bool{false, true} {
		p, spec := flippable(t, server.addr, "redis_error", "READONLY", late)
		c := dialRedis(t, p.Addr().String())
		key, n, refused := fmt.Sprint("tx", late), 0, 0
		flipped(t, p, spec, late, 600, func(sent func()) {
			_, err := c.Write([]byte(wire("MULTI") + wire("INCR", key) + wire("GET", key) + wire("EXEC")))
			require.NoError(t, err)
			sent()
			require.Equal(t, "+OK\r\n", c.answer(t))
			queued, read, all := c.answer(t), c.answer(t), c.answer(t)
			require.Equal(t, "+QUEUED\r\n", read)
			switch {
			case all[0] == '*':
				n++
				require.Equal(t, "+QUEUED\r\n", queued)
				require.True(t, strings.HasPrefix(all, fmt.Sprintf("*2\r\n:%d\r\n", n)), "%d: %q", n, all)
			case queued != "+QUEUED\r\n":
				refused++
				require.Equal(t, "-READONLY You can't write against a read only replica.\r\n", queued)
				require.Equal(t, "-EXECABORT Transaction discarded because of previous errors.\r\n", all)
			default:
				refused++
				require.Equal(t, "-EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.\r\n", all)
			}
		})
		assert.Positive(t, refused)
		assert.Positive(t, n)
	}
}

// Statements in simple queries and in the extended protocol, many under way: each is done, or fails in the fault's words and is not done.
func TestPostgresErrorLiftedUnderLoad(t *testing.T) {
	server := startPostgres(t)
	admin := session(t, server.Addr, "app", "app")
	admin.hear(1)
	for _, late := range []bool{false, true} {
		for _, extended := range []bool{false, true} {
			p, spec := flippable(t, server.Addr, "postgres_error", "40001", late)
			s := session(t, p.Addr().String(), "app", "app")
			s.hear(1)
			name := fmt.Sprintf("t_%v_%v", late, extended)
			admin.ask("create sequence " + name)
			const depth, turns = 20, 200
			n, refused := 0, 0
			flipped(t, p, spec, late, turns, func(sent func()) {
				for range depth {
					if extended {
						s.say(&pgproto3.Parse{Query: "select nextval('" + name + "')"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
					} else {
						s.say(&pgproto3.Query{String: "select nextval('" + name + "')"})
					}
				}
				sent()
				for range depth {
					got := s.hear(1)
					require.NotContains(t, got, "chaos_", name)
					if strings.Contains(got, "C40001\x00") {
						refused++
						continue
					}
					n++
					require.Contains(t, got, fmt.Sprintf("%s%s", string(rune(len(strconv.Itoa(n)))), strconv.Itoa(n)))
				}
			})
			require.Equal(t, depth*turns, n+refused)
			require.Contains(t, admin.ask("select 'last '||last_value from "+name), fmt.Sprintf("last %d", n), "what failed was not done")
			assert.Positive(t, refused, name)
			assert.Positive(t, n, name)
		}
	}
}
