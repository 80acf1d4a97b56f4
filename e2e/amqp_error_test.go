package e2e

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// amqpConn is a connection that is spoken as it is.
type amqpConn struct {
	net.Conn
	in *bufio.Reader
}

func dialAMQP(t *testing.T, addr string) *amqpConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(2*patience)))
	return &amqpConn{c, bufio.NewReader(c)}
}

func shortText(s string) string { return string([]byte{byte(len(s))}) + s }
func longText(s string) string  { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

// method sends a method of the class connection.
func (c *amqpConn) method(t *testing.T, method byte, arguments string) {
	t.Helper()
	payload := string([]byte{0, 10, 0, method}) + arguments
	_, err := io.WriteString(c, "\x01\x00\x00"+longText(payload)+"\xce")
	require.NoError(t, err)
}

// frame reads a frame; how the connection ended is text too.
func (c *amqpConn) frame() string {
	head := make([]byte, 7)
	_, err := io.ReadFull(c.in, head)
	var body []byte
	if err == nil {
		body = make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		_, err = io.ReadFull(c.in, body)
	}
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return "RST"
	case err != nil:
		return err.Error()
	}
	return string(head) + string(body)
}

// login is a handshake up to connection.open; it stops at the first answer that is not the usual one, and returns all that came from there to the end.
func login(t *testing.T, addr string, knows bool, password, vhost string) (c *amqpConn, said []string) {
	t.Helper()
	c = dialAMQP(t, addr)
	_, err := io.WriteString(c, "AMQP\x00\x00\x09\x01")
	require.NoError(t, err)
	require.Contains(t, c.frame(), "\x00\x0a\x00\x0a")
	capabilities := shortText("authentication_failure_close") + "t" + map[bool]string{true: "\x01", false: "\x00"}[knows]
	c.method(t, 11, longText(shortText("capabilities")+"F"+longText(capabilities))+shortText("PLAIN")+longText("\x00guest\x00"+password)+shortText("en_US"))
	if tune := c.frame(); !strings.Contains(tune, "\x00\x0a\x00\x1e") {
		return c, c.ending(tune)
	}
	c.method(t, 31, "\x07\xff\x00\x02\x00\x00\x00\x3c")
	c.method(t, 40, shortText(vhost)+"\x00\x00")
	if open := c.frame(); !strings.Contains(open, "\x00\x0a\x00\x29") {
		return c, c.ending(open)
	}
	return c, nil
}

// ending reads to the end, and answers a close as a client does.
func (c *amqpConn) ending(first string) []string {
	said := []string{first}
	for len(said[len(said)-1]) > 7 {
		if strings.Contains(said[len(said)-1], "\x00\x0a\x00\x32") {
			_, _ = io.WriteString(c, "\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x33\xce") // whoever shuts down may not wait for it
		}
		said = append(said, c.frame())
	}
	return said
}

// TestAMQPErrorsAreTheBrokers compares each refusal with that of a RabbitMQ that was brought to it, and shows them to the Go client.
func TestAMQPErrorsAreTheBrokers(t *testing.T) {
	programsOnly(t)
	r := startRabbit(t)
	r.control(t, "eval", `rabbit_vhost:add(<<"down">>, <<"x">>), rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"down">>, <<".*">>, <<".*">>, <<".*">>, <<"x">>),`+
		`rabbit_vhost_sup_sup:stop_and_delete_vhost(<<"down">>).`)
	for _, c := range []struct {
		code                  int
		knows                 bool
		realPassword, message string
		vhost                 string
	}{
		{403, true, "wrong", "", "/"},
		{403, false, "wrong", "", "/"},
		{530, true, "guest", "", "nope"},
		{541, true, "guest", "", "down"},
	} {
		t.Run(fmt.Sprint(c.code, " ", c.knows), func(t *testing.T) {
			begun := time.Now()
			_, want := login(t, r.addr, c.knows, c.realPassword, c.vhost)
			real := time.Since(begun)
			p := spoken(t, r.addr, "amqp_error", c.code)
			open, said := login(t, p.Addr().String(), true, "guest", "/")
			require.Nil(t, said)
			p.Arm("f")
			begun = time.Now()
			_, got := login(t, p.Addr().String(), c.knows, "guest", c.vhost)
			assert.Equal(t, want, got)
			if !c.knows {
				assert.GreaterOrEqual(t, real, 3*time.Second)
				assert.GreaterOrEqual(t, time.Since(begun), 3*time.Second)
			}
			t.Logf("%q", want)
			_, err := amqp.Dial("amqp://guest:guest@" + p.Addr().String() + "/")
			t.Logf("amqp091-go: %v", err)
			assert.Error(t, err)
			p.Lift("f")
			open.method(t, 50, "\x00\xc8"+shortText("bye")+"\x00\x00\x00\x00")
			assert.Contains(t, open.frame(), "\x00\x0a\x00\x33", "who is in stays in")
			client, err := amqp.Dial("amqp://guest:guest@" + p.Addr().String() + "/")
			require.NoError(t, err)
			require.NoError(t, client.Close())
		})
	}
	t.Run("320", func(t *testing.T) {
		p := spoken(t, r.addr, "amqp_error", 320)
		faulty, said := login(t, p.Addr().String(), true, "guest", "/")
		require.Nil(t, said)
		client, err := amqp.Dial("amqp://guest:guest@" + p.Addr().String() + "/")
		require.NoError(t, err)
		closed := client.NotifyClose(make(chan *amqp.Error, 1))
		p.Arm("f")
		got := faulty.ending(faulty.frame())
		told := waited(t, closed)
		t.Logf("amqp091-go: %v", told)
		assert.Equal(t, 320, told.Code)
		p.Lift("f")

		real, said := login(t, r.addr, true, "guest", "/")
		require.Nil(t, said)
		stopped := make(chan []string, 1)
		go func() { stopped <- real.ending(real.frame()) }()
		r.control(t, "stop_app")
		want := waited(t, stopped)
		assert.Equal(t, want[0], got[0])
		assert.Contains(t, []string{"RST", "EOF"}, want[len(want)-1], "as it comes: a broker that has not yet read the close-ok resets")
		assert.Equal(t, "RST", got[1])
		t.Logf("%q", got)
	})
}
