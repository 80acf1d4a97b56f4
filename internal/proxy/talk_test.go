package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// command is a command of Redis as a client writes it.
func command(words ...string) string {
	var b strings.Builder
	b.WriteString("*" + string(rune('0'+len(words))) + "\r\n")
	for _, w := range words {
		b.WriteString("$" + string(rune('0'+len(w))) + "\r\n" + w + "\r\n")
	}
	return b.String()
}

// quiet is a connection through a proxy with redis_error to a server of which the test plays the part.
func quiet(t *testing.T) (f *fixture, client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c := inject(t, "redis_error", "READONLY")
	c.Upstream = l.Addr().String()
	f = start(t, c)
	client = f.dial(t)
	server, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	for _, c := range []net.Conn{client, server} {
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	}
	return f, client, server
}

func says(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

func hears(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(c, got)
	require.NoError(t, err, "%q", got)
	require.Equal(t, want, string(got))
}

// standIn reads the command that reaches the server in the place of a refused one, and returns what the server says to it.
func standIn(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	var lines []string
	for range 3 {
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		lines = append(lines, line)
	}
	require.Contains(t, lines[2], "chaos")
	return "-ERR unknown command '" + strings.TrimSpace(lines[2]) + "'\r\n"
}

// refusedInMulti lets the fault refuse a write inside of MULTI, and returns how the server reads on, and its answer to what stands for the write.
func refusedInMulti(t *testing.T, f *fixture, client, server net.Conn) (in *bufio.Reader, answer string) {
	t.Helper()
	f.Arm("f1")
	says(t, client, command("MULTI")+command("SET", "a", "b"))
	hears(t, server, command("MULTI"))
	in = bufio.NewReader(server)
	return in, standIn(t, in)
}

const refusedWrite = "-READONLY You can't write against a read only replica.\r\n"

// What stands for a refused command is answered in the fault's words after the lift, however late, and holds nothing else up meanwhile.
func TestLiftHearsOut(t *testing.T) {
	f, client, server := quiet(t)
	in, first := refusedInMulti(t, f, client, server)
	f.Lift("f1")
	says(t, client, command("GET", "a"))
	got := make([]byte, len(command("GET", "a")))
	_, err := io.ReadFull(in, got)
	require.NoError(t, err, "the server is silent, and is asked nevertheless")
	says(t, server, "+OK\r\n"+first[:7])
	hears(t, client, "+OK\r\n")
	says(t, server, first[7:]+"+QUEUED\r\n")
	hears(t, client, refusedWrite+"+QUEUED\r\n")
	require.Eventually(t, func() bool { return f.Stats().InChain == 0 }, 10*time.Second, time.Millisecond, "back on the kernel's way")
}

// The fault comes on again while the server owes answers from before: it bites at once, and each has its own.
func TestOnAgainWhileItHearsOut(t *testing.T) {
	f, client, server := quiet(t)
	in, first := refusedInMulti(t, f, client, server)
	f.Lift("f1")
	f.Arm("f1")
	says(t, client, command("SET", "c", "d"))
	second := standIn(t, in)
	f.Lift("f1")
	says(t, server, "+OK\r\n"+first+second)
	hears(t, client, "+OK\r\n"+refusedWrite+refusedWrite)
}

// A server that dies while it owes an answer ends the connection as ever.
func TestServerDiesWhileItIsHeardOut(t *testing.T) {
	f, client, server := quiet(t)
	f.Arm("f1")
	says(t, client, command("MULTI")+command("SET", "a", "b"))
	hears(t, server, command("MULTI"))
	standIn(t, bufio.NewReader(server))
	f.Lift("f1")
	says(t, server, "+OK\r\n")
	hears(t, client, "+OK\r\n")
	require.NoError(t, server.Close())
	_, err := io.ReadAll(client)
	assert.NoError(t, err)
	require.NoError(t, client.Close())
	require.Eventually(t, func() bool { return f.Open() == 0 }, 10*time.Second, time.Millisecond)
}
