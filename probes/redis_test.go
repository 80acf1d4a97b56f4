package probes

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// startServer runs a server until the end of the test and waits until ready holds.
func startServer(t *testing.T, cmd *exec.Cmd, ready Spec) {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // PostgreSQL's fast shutdown; enough for Redis, too
		_ = cmd.Wait()
		_ = log.Close()
	})
	ready.Within = timeline.Duration(30 * time.Second)
	p, err := New(ready, Env{})
	require.NoError(t, err)
	if _, err := Poll(t.Context(), p, ready.Timing(), nil); err != nil {
		said, _ := os.ReadFile(log.Name())
		require.NoError(t, err, "%s wrote:\n%s", cmd.Path, said)
	}
}

func TestRedisServer(t *testing.T) {
	binary, err := exec.LookPath("redis-server")
	requireServer(t, "redis-server", err == nil)
	address := closedPort(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	cmd := exec.Command(binary, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", secret, "--dir", t.TempDir())
	startServer(t, cmd, Spec{Redis: &Redis{Address: address, Password: secret}})

	redis := func(do, expect string) Redis {
		return Redis{Address: address, Password: secret, Do: do, Expect: expect}
	}
	holds := func(r Redis) {
		t.Helper()
		_, err := ask(t, Spec{Redis: &r}, Env{})
		require.NoError(t, err)
	}
	fails := func(r Redis, want string) {
		t.Helper()
		_, err := ask(t, Spec{Redis: &r}, Env{})
		require.ErrorContains(t, err, want)
	}
	holds(redis("", ""))
	holds(redis("set_get", ""))
	holds(redis("DBSIZE", "0")) // set_get left nothing behind
	holds(redis(`set "a key" 'a value'`, "OK"))
	holds(redis(`get "a key"`, "a value"))
	holds(redis("get nothing", "(nil)"))
	holds(redis("rpush list one two", "2"))
	holds(redis("lrange list 0 -1", "one\ntwo"))
	holds(redis("get 'a key'", ""))
	holds(Redis{Address: address, Password: secret, DB: 3, Do: "DBSIZE", Expect: "0"})

	fails(redis(`get "a key"`, "other"), "redis get a key on "+address+": expected other, got a value")
	fails(redis("get list", ""), "redis get list on "+address+": expected a reply, got WRONGTYPE Operation against a key")
	fails(redis("nonsense", ""), "got ERR unknown command")
	fails(Redis{Address: address}, "redis PING on "+address+": expected PONG, got NOAUTH Authentication required.")
	fails(Redis{Address: address, Password: "wrong-" + secret}, "redis AUTH on "+address+": expected OK, got WRONGPASS")
	fails(Redis{Address: address, Password: secret, DB: 99}, "redis SELECT 99 on "+address+": expected OK, got ERR DB index is out of range")

	holds(redis("config set maxmemory 1", "OK"))
	fails(redis("set_get", ""), "redis SET on "+address+": expected OK, got OOM command not allowed")
	holds(redis("config set maxmemory 0", "OK"))
	holds(redis("replicaof 127.0.0.1 1", "OK"))
	fails(redis("set_get", ""), "redis SET on "+address+": expected OK, got READONLY")
	holds(redis("ping", "PONG"))
}

// A server that only speaks TLS, with a user of its ACL, as those that are rented do.
func TestRedisOverTLS(t *testing.T) {
	binary, err := exec.LookPath("redis-server")
	requireServer(t, "redis-server", err == nil)
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	dir, address := t.TempDir(), closedPort(t)
	key, err := x509.MarshalPKCS8PrivateKey(web.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: web.Certificate().Raw}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	cmd := exec.Command(binary, "--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir,
		"--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "cert.pem", "--tls-auth-clients", "no",
		"--user", "app", "on", ">"+secret, "~*", "+@all", "--user", "default", "off")
	good := Redis{Address: address, TLS: true, Username: "app", Password: secret, Do: "set_get"}
	startServer(t, cmd, Spec{Redis: &good, CA: filepath.Join(dir, "cert.pem")})

	for name, c := range map[string]struct {
		change func(*Spec)
		err    string
	}{
		"without tls":  {func(s *Spec) { s.Redis.TLS = false }, "redis AUTH on " + address + ": expected OK, got "},
		"without ca":   {func(s *Spec) { s.CA = "" }, "redis on " + address + ": expected a TLS handshake, got a TLS certificate that cannot be trusted: "},
		"default user": {func(s *Spec) { s.Redis.Username = "" }, "redis AUTH on " + address + ": expected OK, got WRONGPASS"},
		"nobody":       {func(s *Spec) { s.Redis.Username = "nobody" }, "redis AUTH on " + address + ": expected OK, got WRONGPASS"},
	} {
		redis := good
		s := Spec{Redis: &redis, CA: filepath.Join(dir, "cert.pem")}
		c.change(&s)
		_, err := ask(t, s, Env{})
		assert.ErrorContains(t, err, c.err, name)
	}
	plain := serve(t, untilClosed)
	_, err = ask(t, Spec{Redis: &Redis{Address: plain, TLS: true}, Timeout: timeline.Duration(100 * time.Millisecond)}, Env{})
	assert.ErrorContains(t, err, "redis on "+plain+": expected a TLS handshake, got no answer within 100ms")
	_, err = New(Spec{Redis: &Redis{Address: address, Username: "app"}}, Env{})
	assert.ErrorContains(t, err, "username needs a password")
}

func TestMiniredis(t *testing.T) {
	server := miniredis.RunT(t)
	server.RequireAuth(secret)
	spec := Spec{Redis: &Redis{Address: server.Addr(), Password: secret, DB: 2, Do: "set_get"}}
	_, err := ask(t, spec, Env{})
	require.NoError(t, err)
	assert.Empty(t, server.DB(2).Keys())

	server.SetError("LOADING Redis is loading the dataset in memory")
	_, err = ask(t, spec, Env{})
	require.EqualError(t, err, "redis AUTH on "+server.Addr()+": expected OK, got LOADING Redis is loading the dataset in memory")
}

// liar is a Redis that answers by a script, one reply for each command.
func liar(t *testing.T, replies ...string) string {
	t.Helper()
	return serve(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for _, reply := range replies {
			if _, err := readReply(r); err != nil { // a command is an array, as a reply may be
				return
			}
			if _, err := c.Write([]byte(reply)); err != nil {
				return
			}
		}
		untilClosed(c)
	})
}

func TestSetGetMeetsAServerThatLosesWrites(t *testing.T) {
	setGet := func(address string) error {
		_, err := ask(t, Spec{Redis: &Redis{Address: address, Do: "set_get"}}, Env{})
		return err
	}
	address := liar(t, "+OK\r\n", "$-1\r\n", ":1\r\n")
	require.EqualError(t, setGet(address), "redis GET on "+address+": expected what was written, got (nil)")
	address = liar(t, "+OK\r\n", "$5\r\nother\r\n", ":1\r\n")
	require.EqualError(t, setGet(address), "redis GET on "+address+": expected what was written, got other")
	address = liar(t, "-MISCONF Errors writing to the AOF file\r\n")
	require.EqualError(t, setGet(address), "redis SET on "+address+": expected OK, got MISCONF Errors writing to the AOF file")
	_, err := ask(t, Spec{Redis: &Redis{Address: liar(t, "*2\r\n$1\r\na\r\n-ERR inner\r\n"), Do: "exec"}}, Env{})
	require.NoError(t, err)
}

func TestReadReplyBounds(t *testing.T) {
	for text, want := range map[string]error{
		"*100000000\r\n":                errTooLarge,
		"$1048577\r\n":                  errTooLarge,
		strings.Repeat("*1\r\n", 20):    errTooLarge,
		"+" + strings.Repeat("x", 9000): errNotRESP,
		"$-2\r\n":                       errNotRESP,
		"$3\r\nabcde":                   errNotRESP,
		"HTTP/1.1 400 Bad Request\r\n":  errNotRESP,
	} {
		_, err := readReply(bufio.NewReader(strings.NewReader(text)))
		assert.ErrorIs(t, err, want, text[:min(len(text), 30)])
	}
}
