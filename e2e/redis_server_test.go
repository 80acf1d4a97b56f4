package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// installed returns the path of a server, or skips the test where servers are not required.
func installed(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("CHAOS_REQUIRE_SERVERS") == "" {
		t.Skipf("%s is not installed: sh tools/install-servers.sh", program)
	}
	require.NoError(t, err)
	return path
}

// freeAddr returns a loopback address on which nobody listens.
func freeAddr(t *testing.T) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	host, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return host, port
}

// redisProcess is a real server.
type redisProcess struct {
	addr, dir string
	command   *exec.Cmd
}

// startRedis starts a server with these options on top of none, and waits until it answers, be it with an error.
func startRedis(t *testing.T, dir string, options ...string) *redisProcess {
	t.Helper()
	path := installed(t, "redis-server")
	host, port := freeAddr(t)
	args := append([]string{"--bind", host, "--port", port, "--save", "", "--dir", dir, "--enable-debug-command", "yes", "--enable-module-command", "yes"}, options...)
	r := &redisProcess{addr: net.JoinHostPort(host, port), dir: dir, command: exec.Command(path, args...)}
	r.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, r.command.Start())
	t.Cleanup(func() {
		_ = r.command.Process.Kill()
		_ = r.command.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", r.addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond, "redis-server does not listen")
	return r
}

// redisConn is a connection that is read as it is.
type redisConn struct {
	net.Conn
	in *bufio.Reader
}

func dialRedis(t *testing.T, addr string) *redisConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(2*patience)))
	return &redisConn{c, bufio.NewReader(c)}
}

// ask sends a command and returns the bytes of its answer.
func (c *redisConn) ask(t *testing.T, words ...string) string {
	t.Helper()
	c.send(t, words...)
	return c.answer(t)
}

func (c *redisConn) send(t *testing.T, words ...string) {
	t.Helper()
	_, err := c.Write([]byte(wire(words...)))
	require.NoError(t, err, words)
}

// wire is a command as a client writes it.
func wire(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

// answer reads one answer.
func (c *redisConn) answer(t *testing.T) string {
	t.Helper()
	text, err := readRedis(c.in)
	require.NoError(t, err)
	return text
}

func readRedis(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return line, err
	}
	var n int
	switch line[0] {
	case '$', '=':
		if _, err := fmt.Sscanf(line[1:], "%d", &n); err != nil || n < 0 {
			return line, err
		}
		body := make([]byte, n+2)
		for at := 0; at < len(body); {
			k, err := in.Read(body[at:])
			if err != nil {
				return line, err
			}
			at += k
		}
		return line + string(body), nil
	case '*', '>', '~', '%':
		if _, err := fmt.Sscanf(line[1:], "%d", &n); err != nil {
			return line, err
		}
		if line[0] == '%' {
			n *= 2
		}
		for range n {
			part, err := readRedis(in)
			line += part
			if err != nil {
				return line, err
			}
		}
	}
	return line, nil
}
