package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// toxic is a fault that stock Toxiproxy has as well, by its one parameter.
type toxic struct {
	kind, attribute string
	value           int64  // as Toxiproxy writes it
	unit            string // that the value of ours has in a file
}

// startFaulty starts a peer whose answers meet a fault from their first byte on; nil: this one has no faults.
func startFaulty(t *testing.T, name string, upstream netip.AddrPort, x toxic) *peer {
	t.Helper()
	switch name {
	case "stock", "chaos":
		p := startPeer(t, name, upstream)
		p.post(t, "/proxies/bench/toxics", x.json(t))
		return p
	case "ours":
		var value any = x.value
		if x.unit != "" {
			value = strconv.FormatInt(x.value, 10) + x.unit
		}
		return startChild(t, childSpec{Play: "ours", Upstream: upstream.String(), Fault: x.kind, Value: value})
	}
	return nil
}

// json is how Toxiproxy's API takes it.
func (x toxic) json(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"name": "fault", "type": x.kind, "stream": "downstream", "attributes": map[string]any{x.attribute: x.value},
	})
	require.NoError(t, err)
	return string(text)
}

// fidelity asks for latencies and looks at what messages meet, on one connection and spread over 100. Ours must never be early.
func fidelity(t *testing.T, o options) table {
	asked := []time.Duration{time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond, 500 * time.Millisecond}
	if o.quick {
		asked = asked[:2]
	}
	upstream := serveMany(t, echoMany)
	ways := []load{{connections: 1, size: 64, rate: 100, turn: o.turn}, {connections: 100, size: 64, rate: 1000, turn: o.turn}}
	peers := map[string]*peer{}
	for _, d := range asked {
		for _, name := range o.peers {
			if p := startFaulty(t, name, upstream, toxic{"latency", "latency", d.Milliseconds(), "ms"}); p != nil {
				peers[name+d.String()] = p
			}
		}
	}
	var rows []lateRow
	for _, w := range ways {
		if o.has("direct") {
			rows = append(rows, lateRow{peer: "direct", to: upstream, load: w})
		}
		for _, d := range asked {
			for _, name := range o.peers {
				if p := peers[name+d.String()]; p != nil {
					rows = append(rows, lateRow{peer: name, to: p.addr, asked: d, load: w})
				}
			}
		}
	}
	for range o.rounds {
		for i := range rows {
			rows[i].rounds = append(rows[i].rounds, milliseconds(steady(t, rows[i].to, rows[i].load), rows[i].asked))
		}
	}
	made := table{head: []string{"asked", "", "connections", "messages", "early", "p50 ms", "p99 ms", "max ms"}}
	for _, row := range rows {
		made.rows = append(made.rows, row.cells(t))
	}
	made.how = results{best: *bestFlag, rounds: map[string][]figures{"": make([]figures, o.rounds)}}.how()
	made.notes = "How much later than asked the answers came, the round trip itself included: the direct rows are the round trip alone. " +
		"Messages are sent at 100 per second on one connection and at 1,000 per second over 100. early and max are of all rounds."
	return made
}

// lateRow is one latency through one peer under one load.
type lateRow struct {
	peer   string
	to     netip.AddrPort
	asked  time.Duration
	load   load
	rounds [][]float64 // how much later than asked each message of a round was, in milliseconds
}

// cells sums the row up. Ours must never be early.
func (l lateRow) cells(t *testing.T) []string {
	t.Helper()
	var p50, p99 []float64
	for _, round := range l.rounds {
		p50, p99 = append(p50, quantile(round, 0.5)), append(p99, quantile(round, 0.99))
	}
	share := 0.5
	if *bestFlag {
		share = 0
	}
	all, early := slices.Concat(l.rounds...), 0
	for _, v := range all {
		if v < 0 {
			early++
		}
	}
	if l.peer == "ours" || l.peer == "chaos" {
		assert.Zero(t, early, "%s is early when asked for %s", l.peer, l.asked)
	}
	return []string{l.asked.String(), l.peer, strconv.Itoa(l.load.connections), strconv.Itoa(len(all)), strconv.Itoa(early),
		number(quantile(p50, share)), number(quantile(p99, share)), number(slices.Max(all))}
}

// milliseconds returns by how much each exceeds what was asked.
func milliseconds(took []time.Duration, asked time.Duration) []float64 {
	var all []float64
	for _, d := range took {
		all = append(all, float64(d-asked)/1e6)
	}
	return all
}

// bandwidth asks for rates and measures them over one connection: what comes after the first piece, until the last.
func bandwidth(t *testing.T, o options) table {
	asked := []int64{10, 100, 1_000, 10_000, 100_000} // KB/s
	if o.quick {
		asked = asked[2:]
		o.turn = max(o.turn, 250*time.Millisecond)
	}
	upstream := serveMany(t, pourOut)
	peers := map[string]*peer{}
	for _, rate := range asked {
		for _, name := range o.peers {
			if p := startFaulty(t, name, upstream, toxic{"bandwidth", "rate", rate, ""}); p != nil {
				peers[fmt.Sprint(name, rate)] = p
			}
		}
	}
	o.peers = slices.DeleteFunc(slices.Clone(o.peers), func(name string) bool { return peers[fmt.Sprint(name, asked[0])] == nil })
	r := interleave(t, o, func(name string) figures {
		f := figures{}
		for _, rate := range asked {
			f[strconv.FormatInt(rate, 10)] = drink(t, peers[fmt.Sprint(name, rate)].addr, o.turn) / float64(rate*1000)
		}
		return f
	})
	r.best = false // which round is best is what is asked
	var columns []column
	for _, rate := range asked {
		columns = append(columns, column{fmt.Sprintf("%d KB/s", rate), func(r results, peer string) string {
			return fmt.Sprintf("%.3f", r.median(peer, strconv.FormatInt(rate, 10)))
		}})
	}
	made := tabulate(r, columns...)
	made.notes = "Measured by asked, on one connection: what came after the first piece."
	return made
}

// pourOut sends as much as it can once it was asked.
func pourOut(c net.Conn) {
	data := make([]byte, block)
	if _, err := c.Read(data); err != nil {
		return
	}
	clear(data)
	for {
		if _, err := c.Write(data); err != nil {
			return
		}
	}
}

// drink returns how many bytes per second come.
func drink(t *testing.T, from netip.AddrPort, turn time.Duration) float64 {
	t.Helper()
	c, err := net.Dial("tcp", from.String())
	require.NoError(t, err)
	defer func() {
		_ = c.(*net.TCPConn).SetLinger(0) // what is still on its way is nobody's
		_ = c.Close()
	}()
	_, err = c.Write([]byte{1})
	require.NoError(t, err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience*time.Second)))
	data := make([]byte, block)
	_, err = c.Read(data)
	require.NoError(t, err)
	first, bytes := time.Now(), 0
	latest := first
	require.NoError(t, c.SetReadDeadline(first.Add(turn)))
	for {
		n, err := c.Read(data)
		if n > 0 {
			bytes, latest = bytes+n, time.Now()
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return float64(bytes) / latest.Sub(first).Seconds()
		}
		require.NoError(t, err)
	}
}
