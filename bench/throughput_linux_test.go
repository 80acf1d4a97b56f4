package bench

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const block = 256 << 10

// throughput streams one way for a while, over one connection and over four.
func throughput(t *testing.T, o options) table {
	upstream := serve(t, 8, count)
	peers := startPeers(t, o, upstream)
	r := interleave(t, o, func(name string) figures {
		p := peers[name]
		if p == nil {
			return nil
		}
		f := figures{}
		for _, streams := range []int{1, 4} {
			before := p.cpu(t)
			rate, bytes := stream(t, p.addr, streams, o.turn)
			f[fmt.Sprintf("rate-%d", streams)] = rate / (1 << 20)
			f[fmt.Sprintf("cpu-%d", streams)] = (p.cpu(t) - before) / (float64(bytes) / (1 << 30))
		}
		return f
	})
	return tabulate(r,
		plain("1 stream MiB/s", "rate-1"), versus("haproxy", "rate-1"), versus("stock", "rate-1"),
		plain("proxy CPU s/GiB", "cpu-1"),
		plain("4 streams MiB/s", "rate-4"), versus("haproxy", "rate-4"), versus("stock", "rate-4"),
		plain("proxy CPU s/GiB", "cpu-4"))
}

// startPeers starts every peer that is asked for and installed.
func startPeers(t *testing.T, o options, upstream netip.AddrPort) map[string]*peer {
	t.Helper()
	peers := map[string]*peer{}
	for _, name := range o.peers {
		if p := startPeer(t, name, upstream); p != nil {
			peers[name] = p
		}
	}
	return peers
}

// last ends a stream of zeros. Closing the sending half would not do: stock Toxiproxy loses what is answered after that.
const last = 1

// count reads to the last byte and answers how much it was.
func count(s socket) {
	buffer := make([]byte, block)
	var total uint64
	for {
		n, err := s.Read(buffer)
		total += uint64(n)
		if err != nil {
			return
		}
		if buffer[n-1] == last {
			break
		}
	}
	_, _ = s.Write(binary.BigEndian.AppendUint64(nil, total))
}

// stream sends for a while and waits until all of it has arrived. It returns bytes per second, and bytes.
func stream(t *testing.T, to netip.AddrPort, streams int, turn time.Duration) (rate float64, bytes int64) {
	t.Helper()
	var all errgroup.Group
	arrived := make([]int64, streams)
	start := time.Now()
	for i := range streams {
		all.Go(func() (err error) {
			arrived[i], err = pour(to, start.Add(turn))
			return err
		})
	}
	require.NoError(t, all.Wait())
	took := time.Since(start)
	for _, n := range arrived {
		bytes += n
	}
	return float64(bytes) / took.Seconds(), bytes
}

// pour sends over one connection until then, and returns how much the other end says has arrived.
func pour(to netip.AddrPort, until time.Time) (int64, error) {
	s, err := dial(to)
	if err != nil {
		return 0, err
	}
	defer s.close()
	data, sent := make([]byte, block), int64(0)
	for data[block-1] != last {
		if !time.Now().Before(until) {
			data[block-1] = last
		}
		if _, err := s.Write(data); err != nil {
			return 0, err
		}
		sent += block
	}
	var said [8]byte
	if _, err := io.ReadFull(s, said[:]); err != nil {
		return 0, fmt.Errorf("read what has arrived: %w", err)
	}
	if got := int64(binary.BigEndian.Uint64(said[:])); got != sent {
		return 0, fmt.Errorf("sent %d bytes, arrived %d", sent, got)
	}
	return sent, nil
}
