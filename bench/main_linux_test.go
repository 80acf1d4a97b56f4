package bench

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var (
	peersFlag  = flag.String("peers", "", "comma-separated `names` of what TestPeers measures, or all; known: "+strings.Join(peerNames(), ", "))
	roundsFlag = flag.Int("rounds", 5, "how `often` each peer has its turn")
	bestFlag   = flag.Bool("best", false, "take each peer's best round instead of the middle: for a machine that is busy otherwise")
	forFlag    = flag.Duration("for", time.Second, "how long one turn measures")
	idleFlag   = flag.Int("idle", 10_000, "how many open connections the memory is measured with")
	rateFlag   = flag.Int("rate", 2000, "messages per second of the open-loop measures over 100 connections")
	tableFlag  = flag.String("table", "", "`file` that the tables are appended to, besides standard output")
	chaosFlag  = flag.String("chaos", "", "chaos `binary` behind the peer chaos, which is `chaos proxy`")
)

// options is what the flags say, or less for a trial of the harness itself.
type options struct {
	peers  []string
	rounds int
	turn   time.Duration
	idle   int
	rate   int
	quick  bool
}

// TestMain is also the main of the peers that are this binary: see child_linux_test.go.
func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		os.Exit(play(spec))
	}
	flag.Parse()
	code := m.Run()
	if stock.path != "" {
		_ = os.RemoveAll(filepath.Dir(stock.path))
	}
	os.Exit(code)
}

// section is one measure over all peers. run returns its table.
type section struct {
	name, title string
	run         func(*testing.T, options) table
}

func sections() []section {
	return []section{
		{"throughput", "One way through a proxy, and what it costs it", throughput},
		{"latency", "Added round trip", latency},
		{"connections", "Connect, ask, answer, close", connections},
		{"memory", "Open and idle connections", memory},
		{"arming", "A fault comes and goes under open connections", arming},
		{"fidelity", "Latency, asked and met", fidelity},
		{"bandwidth", "Bandwidth, asked and met", bandwidth},
		{"traffic", "A load on the service: the generator's own lag", generators},
	}
}

// TestPeers prints the tables of the sections, for those who ask for peers. It fails only when something could not be measured.
func TestPeers(t *testing.T) {
	if *peersFlag == "" {
		t.Skip("a benchmark: name -peers, or all")
	}
	o := options{peers: strings.Split(*peersFlag, ","), rounds: *roundsFlag, turn: *forFlag, idle: *idleFlag, rate: *rateFlag}
	if *peersFlag == "all" {
		o.peers = []string{"direct", "haproxy", "haproxy-splice", "stock", "bare", "ours"}
	}
	for _, name := range o.peers {
		require.Contains(t, peerNames(), name, "-peers")
	}
	liftLimits(t)
	for _, s := range sections() {
		t.Run(s.name, func(t *testing.T) { publish(t, s.title, s.run(t, o)) })
	}
}

// TestHarness goes through every section once and shortly, with the peers that are always there: each must give a figure in each column.
func TestHarness(t *testing.T) {
	if testing.Short() {
		t.Skip("the benchmarks, shortly")
	}
	liftLimits(t)
	o := options{peers: []string{"direct", "bare", "ours"}, rounds: 1, turn: 30 * time.Millisecond, idle: 50, rate: 500, quick: true}
	for _, s := range sections() {
		t.Run(s.name, func(t *testing.T) {
			made := s.run(t, o)
			require.NotEmpty(t, made.rows)
			for _, row := range made.rows {
				require.Len(t, row, len(made.head))
				require.NotContains(t, row, missing, "%v", row)
			}
		})
	}
}

// liftLimits takes as many descriptors as many open connections need, for this process and its peers: a proxy that splices may have six for
// each. Above the hard limit needs the right to it.
func liftLimits(t *testing.T) {
	t.Helper()
	most := descriptors(t)
	for _, want := range []uint64{200_000, 100_000, most} {
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: max(want, most), Max: max(want, most)}) == nil {
			return
		}
	}
}

// descriptors is how many of them a process may have.
func descriptors(t *testing.T) uint64 {
	t.Helper()
	var l unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &l))
	return l.Max
}

// publish prints a table under its title.
func publish(t *testing.T, title string, made table) {
	t.Helper()
	text := fmt.Sprintf("\n### %s\n\n%s", title, made.markdown())
	fmt.Print(text)
	if *tableFlag == "" {
		return
	}
	f, err := os.OpenFile(*tableFlag, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// interleave gives every peer its turn, round after round, so that what else the machine does falls on all alike.
func interleave(t *testing.T, o options, measure func(peer string) figures) results {
	t.Helper()
	r := results{peers: o.peers, rounds: map[string][]figures{}, best: *bestFlag}
	for range o.rounds {
		for _, name := range o.peers {
			if f := measure(name); f != nil {
				r.rounds[name] = append(r.rounds[name], f)
			}
		}
	}
	for _, name := range o.peers {
		for i, f := range r.rounds[name] {
			t.Logf("round %d %s: %s", i+1, name, f)
		}
	}
	return r
}

// has says whether a peer is asked for.
func (o options) has(peer string) bool { return slices.Contains(o.peers, peer) }
