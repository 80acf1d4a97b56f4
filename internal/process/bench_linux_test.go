package process

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchmarkConnect has a service make b.N connects to a closed port, each
// after a line of output.
func benchmarkConnect(b *testing.B, decide func(*Gate) func(Attempt) Answer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	address := l.Addr().String()
	require.NoError(b, l.Close())
	gate := NewGate()
	spec := part("phases", strconv.Itoa(b.N), address)
	spec.Gate = gate
	spec.Line = func(Stream, string) {}
	if decide != nil {
		needsInterceptor(b)
		spec.Decide = decide(gate)
	}
	b.ResetTimer()
	p, err := Start(spec)
	require.NoError(b, err)
	<-p.Done()
	b.StopTimer()
	require.NoError(b, p.Close())
}

func BenchmarkConnectPlain(b *testing.B) { benchmarkConnect(b, nil) }

func BenchmarkConnectIntercepted(b *testing.B) {
	benchmarkConnect(b, func(g *Gate) func(Attempt) Answer {
		return func(Attempt) Answer {
			g.Sync()
			return Answer{}
		}
	})
}

func BenchmarkStartTrivialBare(b *testing.B) {
	for b.Loop() {
		require.NoError(b, exec.Command("true").Run())
	}
}

func BenchmarkStartTrivial(b *testing.B) {
	for b.Loop() {
		runTrivial(b, nil)
	}
}

func BenchmarkStartTrivialIntercepted(b *testing.B) {
	needsInterceptor(b)
	for b.Loop() {
		runTrivial(b, func(Attempt) Answer { return Answer{} })
	}
}

func runTrivial(b *testing.B, decide func(Attempt) Answer) {
	p, err := Start(Spec{Argv: []string{"true"}, Env: []string{"PATH=" + os.Getenv("PATH")}, Decide: decide})
	require.NoError(b, err)
	<-p.Done()
	require.NoError(b, p.Close())
}

func BenchmarkGateSync(b *testing.B) {
	spec := part("polite")
	lines := record(&spec)
	p := start(b, spec)
	lines.awaitLine(b, "ready")
	for b.Loop() {
		p.gate.Sync()
	}
}
