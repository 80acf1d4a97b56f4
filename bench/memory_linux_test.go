package bench

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// memory opens many connections, each of which has exchanged a byte and stays idle, and looks at what a fresh process has grown by.
func memory(t *testing.T, o options) table {
	o.rounds = min(o.rounds, 3)
	upstream := startChild(t, childSpec{Play: "echo"}).addr // a process of its own: it too has a descriptor for each
	r := interleave(t, o, func(name string) (f figures) {
		if name == "direct" {
			return nil
		}
		t.Run(name, func(t *testing.T) { // it ends its peer
			if p := startPeer(t, name, upstream); p != nil {
				f = crowd(t, p, o.idle)
			}
		})
		return f
	})
	for i, name := range r.peers {
		if name == "direct" {
			r.peers = append(append([]string{}, r.peers[:i]...), r.peers[i+1:]...)
			break
		}
	}
	made := tabulate(r, plain("open", "open"), plain("KiB each", "kib"), versus("haproxy", "kib"), versus("stock", "kib"), plain("descriptors each", "fds"),
		plain("RSS MiB before", "before"), plain("after", "after"))
	made.notes = fmt.Sprintf("%d connections, or as many as a process may have descriptors for (%d here). What the kernel holds for sockets and pipes "+
		"is not in it.", o.idle, descriptors(t))
	return made
}

// crowd opens that many connections through p, or as many as p has descriptors for.
func crowd(t *testing.T, p *peer, many int) figures {
	t.Helper()
	touch := func(from net.IP) net.Conn {
		d := net.Dialer{Timeout: patience * time.Second, LocalAddr: &net.TCPAddr{IP: from}}
		c, err := d.Dial("tcp", p.addr.String())
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(patience*time.Second)))
		_, err = c.Write([]byte{1})
		require.NoError(t, err)
		_, err = io.ReadFull(c, make([]byte, 1))
		require.NoError(t, err)
		return c
	}
	_ = touch(net.IPv4(127, 0, 0, 1)).Close() // what is made once for all is not to be counted
	if p.most > 0 {
		many = min(many, p.most-10)
	}
	before, fds, open := p.rss(t), p.fds(t), 0
	for ; open < many; open++ {
		if open%50 == 0 && uint64(p.fds(t)+400) > descriptors(t) {
			break
		}
		c := touch(net.IPv4(127, 0, 1, byte(1+open%100)))
		defer func() {
			_ = c.(*net.TCPConn).SetLinger(0) // or so many ports stay taken for a minute
			_ = c.Close()
		}()
	}
	after := p.rss(t)
	return figures{
		"kib": (after - before) / 1024 / float64(open), "fds": float64(p.fds(t)-fds) / float64(open), "open": float64(open),
		"before": before / (1 << 20), "after": after / (1 << 20),
	}
}
