package bench

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// latency measures round trips of messages of two sizes: one after the other on one connection, and at a steady rate over 100.
func latency(t *testing.T, o options) table {
	alone, crowd := startPeers(t, o, serve(t, 4, echo)), startPeers(t, o, serveMany(t, echoMany))
	r := interleave(t, o, func(name string) figures {
		if alone[name] == nil {
			return nil
		}
		f := figures{}
		for _, size := range []int{64, 1024} {
			f.quantiles(fmt.Sprintf("alone-%d", size), pingPong(t, alone[name].addr, size, o.turn))
			f.quantiles(fmt.Sprintf("crowd-%d", size), steady(t, crowd[name].addr, load{connections: 100, size: size, rate: o.rate, turn: o.turn}))
		}
		return f
	})
	var made table
	for _, way := range []string{"alone", "crowd"} {
		for _, size := range []string{"64", "1024"} {
			part := tabulate(r, append(more("p50 us", way+"-"+size+"-p50"), more("p99 us", way+"-"+size+"-p99")...)...)
			made.how = part.how
			made.head = append([]string{"", "message"}, part.head[1:]...)
			for _, row := range part.rows {
				what := map[string]string{"alone": "1 connection, ", "crowd": "100 connections, "}[way] + size + " B"
				made.rows = append(made.rows, append([]string{row[0], what}, row[1:]...))
			}
		}
	}
	made.notes = fmt.Sprintf("Added to the direct round trip of the same round; the direct one itself is in brackets. 100 connections: %d messages per second in all, "+
		"sent on time whatever the answers do.", o.rate)
	return made
}

// quantiles keeps the middle and the 99th percentile of durations, in microseconds.
func (f figures) quantiles(name string, took []time.Duration) {
	us := make([]float64, len(took))
	for i, d := range took {
		us[i] = float64(d) / 1e3
	}
	f[name+"-p50"], f[name+"-p99"] = quantile(us, 0.5), quantile(us, 0.99)
}

// pingPong sends a message when the one before has come back.
func pingPong(t *testing.T, to netip.AddrPort, size int, turn time.Duration) []time.Duration {
	t.Helper()
	s, err := dial(to)
	require.NoError(t, err)
	defer s.close()
	message := make([]byte, size)
	var took []time.Duration
	for i, end := 0, time.Now().Add(turn); ; i++ {
		began := time.Now()
		_, err := s.Write(message)
		require.NoError(t, err)
		_, err = io.ReadFull(s, message)
		require.NoError(t, err)
		now := time.Now()
		if i >= 100 { // the first ones warm up
			took = append(took, now.Sub(began))
			if now.After(end) {
				return took
			}
		}
	}
}

// load is messages at a steady rate, spread over connections. Nothing waits for an answer before it sends.
type load struct {
	connections, size, rate int
	turn                    time.Duration
}

// steady returns the round trips of a load, from the moment just before each message was sent.
func steady(t *testing.T, to netip.AddrPort, l load) []time.Duration {
	t.Helper()
	total := l.connections + max(l.connections, int(float64(l.rate)*l.turn.Seconds())) // the first of each warms up
	open := make([]net.Conn, l.connections)
	for i := range open {
		c, err := net.Dial("tcp", to.String())
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(l.turn+patience*time.Second)))
		open[i] = c
	}
	began, took := time.Now(), make([]time.Duration, total)
	var all errgroup.Group
	for i, c := range open {
		all.Go(func() error { return collect(c, took, i, l, began) })
	}
	message := make([]byte, l.size)
	pace := newPace(l.rate)
	for i := range total {
		pace.wait(i)
		binary.BigEndian.PutUint64(message, uint64(time.Since(began)))
		_, err := open[i%len(open)].Write(message)
		require.NoError(t, err)
	}
	require.NoError(t, all.Wait())
	return took[l.connections:]
}

// collect reads the answers of the connection of that number. Each carries when it was sent.
func collect(c net.Conn, took []time.Duration, number int, l load, began time.Time) error {
	message := make([]byte, l.size)
	for i := number; i < len(took); i += l.connections {
		if _, err := io.ReadFull(c, message); err != nil {
			return fmt.Errorf("answer %d: %w", i, err)
		}
		took[i] = time.Since(began) - time.Duration(binary.BigEndian.Uint64(message))
	}
	return nil
}

// pace says when it is time for the next of steady events, more exactly than Go's timers.
type pace struct {
	start int64
	gap   time.Duration
}

func newPace(rate int) pace {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return pace{now.Nano() + int64(time.Millisecond), time.Second / time.Duration(rate)}
}

func (p pace) wait(i int) {
	at := unix.NsecToTimespec(p.start + int64(i)*int64(p.gap))
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) == unix.EINTR {
	}
}

// serveMany is serve for many connections at a time.
func serveMany(t *testing.T, answer func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				answer(c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

// echoMany is echo for many connections at a time.
func echoMany(c net.Conn) {
	buffer := make([]byte, 4<<10)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if _, err := c.Write(buffer[:n]); err != nil {
			return
		}
	}
}
