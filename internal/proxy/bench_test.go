package proxy

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkThroughput streams one way to a server that counts, directly and through a proxy without a fault.
func BenchmarkThroughput(b *testing.B) {
	eachWay(b, func(b *testing.B, address string) {
		block := make([]byte, 256<<10)
		b.SetBytes(int64(len(block)))
		c, err := net.Dial("tcp", address)
		require.NoError(b, err)
		for b.Loop() {
			_, err := c.Write(block)
			require.NoError(b, err)
		}
		require.NoError(b, c.(*net.TCPConn).CloseWrite())
		_, err = io.Copy(io.Discard, c) // until everything has arrived
		require.NoError(b, err)
		require.NoError(b, c.Close())
	})
}

// BenchmarkConnections connects, asks one byte and closes, one connection after the other.
func BenchmarkConnections(b *testing.B) {
	eachWay(b, func(b *testing.B, address string) {
		for b.Loop() {
			c, err := net.Dial("tcp", address)
			require.NoError(b, err)
			require.NoError(b, c.(*net.TCPConn).CloseWrite())
			_, err = io.Copy(io.Discard, c)
			require.NoError(b, err)
			require.NoError(b, c.Close())
		}
	})
}

func eachWay(b *testing.B, f func(*testing.B, string)) {
	b.Run("direct", func(b *testing.B) { f(b, sink(b)) })
	b.Run("proxy", func(b *testing.B) {
		p, err := Start(context.Background(), Config{Name: "sink", Upstream: sink(b)})
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, p.Close(context.Background())) })
		f(b, p.Addr().String())
	})
}

// sink is a server that reads each connection to its end and then closes it.
func sink(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			})
		}
	})
	b.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return l.Addr().String()
}
