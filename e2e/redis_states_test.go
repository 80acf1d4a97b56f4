package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

// spoken is a proxy with one protocol fault, dormant, whose id is "f".
func spoken(t *testing.T, upstream, kind string, value any) *proxy.Proxy {
	t.Helper()
	spec, problems := faults.Parse(kind, value)
	require.Empty(t, problems)
	p, err := proxy.Start(t.Context(), proxy.Config{Name: kind, Upstream: upstream, Injections: []proxy.Injection{{ID: "f", Fault: spec}}})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		assert.NoError(t, p.Close(ctx))
	})
	return p
}

// real brings a server into a state and returns it. error is how its refusals begin.
var realStates = map[string]struct {
	start func(t *testing.T) *redisProcess
	error string
}{
	"LOADING": {startLoading, "-LOADING"},
	"NOAUTH":  {func(t *testing.T) *redisProcess { return startRedis(t, t.TempDir(), "--requirepass", "secret") }, "-NOAUTH"},
	"READONLY": {func(t *testing.T) *redisProcess {
		return startRedis(t, t.TempDir(), "--replicaof", "127.0.0.1 1", "--repl-diskless-sync", "yes")
	}, "-READONLY"},
	"MASTERDOWN": {func(t *testing.T) *redisProcess {
		return startRedis(t, t.TempDir(), "--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no", "--replica-read-only", "no")
	}, "-MASTERDOWN"},
	"MISCONF":     {startUnsaved, "-MISCONF"},
	"OOM":         {func(t *testing.T) *redisProcess { return startRedis(t, t.TempDir(), "--maxmemory", "1") }, "-OOM"},
	"BUSY":        {startBusy, "-BUSY"},
	"NOREPLICAS":  {func(t *testing.T) *redisProcess { return startRedis(t, t.TempDir(), "--min-replicas-to-write", "1") }, "-NOREPLICAS"},
	"CLUSTERDOWN": {startUncovered, "-CLUSTERDOWN"},
}

// startLoading starts a server that needs minutes to read its data.
func startLoading(t *testing.T) *redisProcess {
	before := startRedis(t, t.TempDir(), "--rdbcompression", "no")
	c := dialRedis(t, before.addr)
	require.Equal(t, "+OK\r\n", c.ask(t, "DEBUG", "POPULATE", "20000", "key", "1200"))
	require.Equal(t, "+OK\r\n", c.ask(t, "SAVE"))
	return startRedis(t, before.dir, "--key-load-delay", "8000", "--loading-process-events-interval-bytes", "1024")
}

// startUnsaved starts a server that cannot save, because its folder is gone.
func startUnsaved(t *testing.T) *redisProcess {
	dir := filepath.Join(t.TempDir(), "gone")
	require.NoError(t, os.Mkdir(dir, 0o700))
	r := startRedis(t, dir, "--save", "3600 1")
	c := dialRedis(t, r.addr)
	require.Contains(t, c.ask(t, "PING"), "PONG")
	require.NoError(t, os.Remove(dir))
	require.Equal(t, "+Background saving started\r\n", c.ask(t, "BGSAVE"))
	return r
}

// startBusy starts a server in which a script never ends.
func startBusy(t *testing.T) *redisProcess {
	r := startRedis(t, t.TempDir(), "--busy-reply-threshold", "1")
	dialRedis(t, r.addr).send(t, "EVAL", "while true do end", "0")
	return r
}

// startUncovered starts a node of a cluster that lacks one slot.
func startUncovered(t *testing.T) *redisProcess {
	r := startRedis(t, t.TempDir(), "--cluster-enabled", "yes")
	require.Equal(t, "+OK\r\n", dialRedis(t, r.addr).ask(t, "CLUSTER", "ADDSLOTSRANGE", "0", "16382"))
	return r
}

// inState waits until the server refuses a write.
func (r *redisProcess) inState(t *testing.T, prefix string) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", r.addr, time.Second)
		if err != nil {
			return false
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, "SET canary x\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		return strings.HasPrefix(line, prefix)
	}, patience, 20*time.Millisecond, "the server does not come into the state")
}

// notTried would change the state, or make of the connection something else than one of commands.
var notTried = map[string]bool{
	"shutdown": true, "monitor": true, "sync": true, "psync": true, "replicaof": true, "slaveof": true, "save": true, "bgsave": true, "bgrewriteaof": true,
	"cluster|reset": true, "script|kill": true, "failover": true, "debug": true, "quit": true, "client|kill": true,
	// Without answers there is nothing to compare.
	"client|reply": true,
}

// TestRedisStatesAreTheServers: for every command that a server has, the fault refuses it if and only if a real server in that state does, in the same
// words.
func TestRedisStatesAreTheServers(t *testing.T) {
	programsOnly(t)
	healthy := startRedis(t, t.TempDir())
	commands := decodeCommands(t, mustOutput(t, "redis-cli", "-u", "redis://"+healthy.addr, "--json", "COMMAND"))
	for state, real := range realStates {
		t.Run(state, func(t *testing.T) {
			r := real.start(t)
			r.inState(t, real.error)
			p := spoken(t, healthy.addr, "redis_error", state)
			p.Arm("f")
			tried := 0
			for _, c := range commands {
				for _, one := range append(c.children, c) {
					if unsaid := strings.HasPrefix(one.name, "evalsha") || strings.HasPrefix(one.name, "fcall"); unsaid && state == "MASTERDOWN" {
						continue // the server looks first whether it has the script
					}
					if notTried[one.name] || len(c.children) > 0 && one.name == c.name && one.arity == -2 || strings.HasPrefix(one.name, "cluster|") && state == "CLUSTERDOWN" {
						continue
					}
					tried++
					compareRefusal(t, real.error, dialRedis(t, r.addr), dialRedis(t, p.Addr().String()), one.words())
				}
			}
			assert.Greater(t, tried, 300)
			r.inState(t, real.error)
		})
	}
}

// calls are for commands that cannot be called with words that mean nothing: where a cluster looks for keys it must find them.
var calls = map[string]string{
	"eval": "return 0", "eval_ro": "return 0", "xread": "STREAMS x 0", "xreadgroup": "GROUP x x STREAMS x 0", "migrate": "127.0.0.1 1 x 0 1",
	"zunion": "1 x", "zinter": "1 x", "zdiff": "1 x", "sintercard": "1 x", "zintercard": "1 x", "lmpop": "1 x LEFT", "zmpop": "1 x MIN",
	"zunionstore": "x 1 x", "zinterstore": "x 1 x", "zdiffstore": "x 1 x",
}

// words is the shortest way to call a command.
func (c wireCommand) words() []string {
	if text, ok := calls[c.name]; ok {
		return append([]string{c.name}, strings.Split(text, " ")...)
	}
	words := strings.Split(c.name, "|")
	for n := max(c.arity, -c.arity); len(words) < n; {
		words = append(words, "x")
	}
	return words
}

func compareRefusal(t *testing.T, prefix string, real, faulty *redisConn, words []string) {
	t.Helper()
	want, got := real.ask(t, words...), faulty.ask(t, words...)
	if strings.HasPrefix(want, prefix) || strings.HasPrefix(got, prefix) || strings.HasPrefix(want, "-EXECABORT") {
		assert.Equal(t, want, got, words)
	}
	real.Close()
	faulty.Close()
}

func mustOutput(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(installed(t, program), args...).Output()
	require.NoError(t, err, "%s %s", program, strings.Join(args, " "))
	return out
}

// redisTalks are what clients say at once, on one connection: the whole of what is answered must be the same.
var redisTalks = map[string]map[string][]string{
	"": { // in every state
		"a transaction":        {"MULTI", "GET nokey", "SET canary b", "EXEC", "GET nokey"},
		"one of reads":         {"MULTI", "GET nokey", "EXEC"},
		"one that is given up": {"MULTI", "SET canary b", "DISCARD", "SET canary c"},
		"mistakes":             {"SET", "NOPE a", "CLIENT NOPE", "GET a b", "SET canary"},
		"inline":               {"set canary b", "nope", "get nokey"},
		"order":                {"ECHO a", "SET canary b", "ECHO b", "SET canary c", "GET nokey", "SELECT 0"},
		"selection":            {"SELECT 1", "SELECT 0", "GET nokey"},
		"a reset":              {"MULTI", "SET canary b", "RESET", "SET canary b"},
		"silence":              {"CLIENT REPLY OFF", "SET canary b", "GET nokey", "CLIENT REPLY ON", "SET canary b", "CLIENT REPLY SKIP", "SET canary b", "SET canary b"},
		"RESP3":                {"HELLO x", "SET canary b", "HELLO 4"},
		"identity":             {"CLIENT SETNAME x", "CLIENT GETNAME"},
		"a subscription":       {"SUBSCRIBE a b", "SET canary b", "PING", "UNSUBSCRIBE a", "SET canary b", "UNSUBSCRIBE", "SET canary b"},
		"patterns":             {"PSUBSCRIBE a* b*", "PUNSUBSCRIBE", "SET canary b", "ECHO x"},
		"watching":             {"WATCH nokey", "MULTI", "EXEC", "UNWATCH"},
		"an EXEC too much":     {"EXEC", "SET canary b"},
	},
	"READONLY": {
		"scripts": {"EVAL_RO return_redis.call('get','nokey') 0", "EVAL return_1 0", "EVAL return_redis.call('set','canary',1) 0", "EVAL return_redis.pcall('set','canary',1) 0",
			"EVAL_RO return_redis.call('set','canary',1) 0", "EVALSHA nope 0", "EVAL return_nonsense( 0", "FCALL nope 0"},
	},
	"MISCONF":    {"scripts": {"EVAL return_1 0", "EVAL return_redis.call('set','canary',1) 0"}},
	"OOM":        {"scripts": {"EVAL return_1 0", "EVAL return_redis.call('set','canary',1) 0"}},
	"NOREPLICAS": {"scripts": {"EVAL return_1 0", "EVAL return_redis.call('set','canary',1) 0"}},
	"MASTERDOWN": {"scripts": {"EVAL return_1 0", "EVAL return_redis.call('get','canary') 1 canary", "EVAL_RO return_1 0"}},
	"LOADING":    {"scripts": {"EVAL return_1 0", "EVALSHA nope 0"}},
	"CLUSTERDOWN": {"scripts": {"EVAL return_1 0", "EVAL return_1 1 canary", "EVAL_RO return_1 0"},
		"sharded": {"SPUBLISH canary x"}},
	"NOAUTH": {
		"a password":  {"PING", "AUTH nope", "AUTH default nope", "PING", "AUTH", "AUTH a b c"},
		"a handshake": {"HELLO", "HELLO 3", "HELLO 2 AUTH default nope", "HELLO 3 AUTH default nope SETNAME x", "PING", "HELLO 9", "QUIT"},
	},
}

// TestRedisTalksAreTheServers compares all that is answered to a pipeline.
func TestRedisTalksAreTheServers(t *testing.T) {
	healthy := startRedis(t, t.TempDir())
	for state, real := range realStates {
		t.Run(state, func(t *testing.T) {
			r := real.start(t)
			r.inState(t, real.error)
			p := spoken(t, healthy.addr, "redis_error", state)
			p.Arm("f")
			for _, talks := range []map[string][]string{redisTalks[""], redisTalks[state]} {
				for name, lines := range talks {
					if state == "CLUSTERDOWN" && name == "selection" {
						continue // a cluster has one database, and says so
					}
					want := pipelined(t, r.addr, name == "inline", lines)
					assert.Equal(t, want, pipelined(t, p.Addr().String(), name == "inline", lines), name)
				}
			}
			assert.Positive(t, p.Stats().Fault("f").ConnectionsHit)
		})
	}
}

// pipelined sends all lines at once and returns all that is answered, up to the answer to a last ECHO, which the state may refuse too.
func pipelined(t *testing.T, addr string, inline bool, lines []string) []string {
	t.Helper()
	c := dialRedis(t, addr)
	defer c.Close()
	var b strings.Builder
	for _, line := range append(lines, "NOSUCHCOMMAND the end") {
		if inline {
			b.WriteString(line + "\r\n")
			continue
		}
		words := strings.Split(line, " ")
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "return_", "return ") // a script is one word
		}
		b.WriteString(wire(words...))
	}
	_, err := io.WriteString(c, b.String())
	require.NoError(t, err)
	var answers []string
	for {
		text, err := readRedis(c.in)
		if err != nil {
			require.ErrorIs(t, err, io.EOF, "after %q", answers)
		}
		if err != nil || strings.Contains(text, "NOSUCHCOMMAND") {
			return append(answers, map[bool]string{true: "end"}[err == io.EOF])
		}
		answers = append(answers, text)
	}
}
