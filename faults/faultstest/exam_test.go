package faultstest_test

import (
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

// exam is what one kind, with some parameters, must show.
type exam struct {
	kind  string
	value any
	// shows does, while the fault is on, what a service would do, and fails unless it meets the fault. old was opened, and greeted, before.
	shows func(t *testing.T, b *bench, old *client)
	// leaves looks at old after the lift.
	leaves func(t *testing.T, b *bench, old *client)
	// unseen: without the interceptor the kernel turns connections away unseen, so that no bite can be reported.
	unseen bool
}

const (
	delay = 200 * time.Millisecond
	part  = 700_001 // bytes of a flood
)

func exams() []exam {
	return []exam{
		{kind: "refuse", shows: refuses(syscall.ECONNREFUSED), leaves: working, unseen: true},
		{kind: "refuse", value: "EHOSTUNREACH", shows: refuses(syscall.EHOSTUNREACH), leaves: working, unseen: true},
		{kind: "hang", shows: hangs, leaves: connectsLate, unseen: true},
		{kind: "cut", shows: cuts, leaves: broken},
		{kind: "flap", value: map[string]any{"up": "100ms", "down": "100ms"}, shows: flaps, leaves: broken},
		{kind: "accept_close", shows: closesAtOnce, leaves: working},
		{kind: "slow_accept", value: delay, shows: isLate(0, delay), leaves: working},
		{kind: "max_connections", value: 2, shows: caps, leaves: working},
		{kind: "half_open", shows: losesAnswers, leaves: resetLater},
		{kind: "half_open", value: map[string]any{"direction": "upstream", "ending": "silent"}, shows: withholdsRequests, leaves: dead},
		{kind: "half_open", value: map[string]any{"direction": "upstream", "ending": "resume"}, shows: withholdsRequests, leaves: resumed},
		{kind: "stall", value: 7, shows: stallsAfter7, leaves: goesOn},
		{kind: "stall", value: map[string]any{"bytes": 0, "direction": "upstream"}, shows: withholdsRequests, leaves: resumed},
		{kind: "brownout", value: map[string]any{"per_connection": delay}, shows: slowsWithConnections, leaves: working},
		{kind: "loss", value: map[string]any{"probability": 0.9, "correlation": 0.5, "rto": "20ms"}, shows: stallsSomewhere, leaves: working},
		{kind: "corrupt", value: 1, shows: changes, leaves: working},
		{kind: "garbage", shows: changes, leaves: working},
		{kind: "reset", shows: resets, leaves: broken},
		{kind: "reset", value: delay, shows: resetsLate, leaves: broken},
		{kind: "reset", value: map[string]any{"bytes": 7}, shows: resetsAfter7, leaves: broken},
		{kind: "reset", value: map[string]any{"bytes": part}, shows: endsIn(syscall.ECONNRESET), leaves: working},
		{kind: "blackhole", shows: swallows, leaves: dead},
		{kind: "blackhole", value: "close", shows: swallows, leaves: ended},
		{kind: "blackhole", value: "resume", shows: withholds, leaves: resumed},
		{kind: "timeout", value: delay, shows: timesOut, leaves: broken},
		{kind: "timeout", value: 0, shows: swallows, leaves: ended},
		{kind: "latency", value: delay, shows: isLate(delay, delay), leaves: working},
		{kind: "latency", value: map[string]any{"delay": delay, "connect": true}, shows: isLate(delay, 2*delay), leaves: working},
		{kind: "latency", value: map[string]any{"delay": delay, "direction": "both"}, shows: isLate(2*delay, delay), leaves: working},
		{kind: "bandwidth", value: 1, shows: isNarrow, leaves: working},
		{kind: "slicer", value: map[string]any{"average_size": 4, "delay": "10ms"}, shows: isSliced, leaves: working},
		{kind: "slow_close", value: delay, shows: closesLate, leaves: working},
		{kind: "tls", shows: failsTLS("certificate has expired"), leaves: working},
		{kind: "tls", value: "unknown_ca", shows: failsTLS("unknown authority"), leaves: working},
		{kind: "tls", value: "alert", shows: failsTLS("remote error: tls: handshake failure"), leaves: working},
		{kind: "tls", value: "plaintext", shows: failsTLS("does not look like a TLS handshake"), leaves: working},
		{kind: "tls", value: "handshake_cut", shows: failsTLS("EOF"), leaves: working},
		{kind: "tls", value: "handshake_reset", shows: failsTLS("connection reset by peer"), leaves: working},
		{kind: "tls", value: "handshake_hang", shows: hangsTLS, leaves: working},
		{kind: "limit_data", shows: limitsTo0, leaves: broken},
		{kind: "limit_data", value: 7, shows: limitsTo7, leaves: broken},
		{kind: "limit_data", value: part, shows: endsIn(nil), leaves: working},
	}
}

// TestEveryKind is the exam.
func TestEveryKind(t *testing.T) {
	examined := map[string]bool{}
	for _, e := range exams() {
		examined[e.kind] = true
		fault, problems := faults.Parse(e.kind, e.value)
		require.Empty(t, problems)
		for mode, intercepted := range map[string]bool{"plain": false, "intercepted": true} {
			t.Run(fault.String()+"/"+mode, func(t *testing.T) {
				t.Parallel()
				e.take(t, setUp(t, fault, intercepted))
			})
		}
	}
	for _, k := range faults.Builtin() {
		if k.Name == "dns" || k.Protocols != nil {
			continue // dns touches no connection: TestNames examines it; those that speak need a server that does: e2e examines them
		}
		assert.True(t, examined[k.Name], "%s has no exam: add one to exams()", k.Name)
	}
}

func (e exam) take(t *testing.T, b *bench) {
	require.NoError(t, b.works(t, b.faulty), "before")
	old := b.mustDial(t)
	require.NoError(t, old.greeted())

	b.armed = time.Now()
	b.faulty.Arm("f1")
	b.faulty.Arm("f1") // arming what is armed does nothing
	e.shows(t, b, old)
	assert.NoError(t, b.works(t, b.other), "another dependency")
	e.bitten(t, b)

	lifted := make(chan struct{})
	go func() {
		b.faulty.Lift("f1")
		b.faulty.Lift("f1")
		close(lifted)
	}()
	select {
	case <-lifted:
	case <-time.After(patience):
		t.Fatal("the lift does not end")
	}
	assert.NoError(t, b.works(t, b.faulty), "after the lift")
	e.leaves(t, b, old)
	assert.NoError(t, b.works(t, b.other), "another dependency, at the end")
}

// bitten waits for the bite. There is one, however much the fault has met, until it comes on again.
func (e exam) bitten(t *testing.T, b *bench) {
	t.Helper()
	if e.unseen && !b.intercepted {
		return
	}
	select {
	case <-b.told:
	case <-time.After(patience):
		t.Error("it never bit")
		return
	}
	b.mu.Lock()
	bites := append([]string(nil), texts(b)...)
	b.mu.Unlock()
	assert.Len(t, bites, 1, "bites since it was armed: %v", bites)
	assert.Positive(t, b.faulty.Stats().Fault("f1").ConnectionsHit)
	assert.Zero(t, b.other.Stats().Fault("f1").ConnectionsHit)
}

func texts(b *bench) []string {
	var out []string
	for _, e := range b.bites {
		out = append(out, e.Text)
	}
	return out
}

// TestNoBiteWithoutEffect: a trial in which a fault only stood by must not count as one in which it acted.
func TestNoBiteWithoutEffect(t *testing.T) {
	for kind, value := range map[string]any{"limit_data": part, "reset": map[string]any{"bytes": part}, "slow_close": delay, "tls": nil} {
		fault, problems := faults.Parse(kind, value)
		require.Empty(t, problems)
		b := setUp(t, fault, false)
		b.faulty.Arm("f1")
		c := b.mustDial(t)
		assert.NoError(t, c.greeted())
		assert.NoError(t, c.echoes("untouched"))
		assert.Equal(t, proxy.FaultStats{ID: "f1"}, b.faulty.Stats().Fault("f1"), fault.String())
		b.faulty.Lift("f1")
		assert.NoError(t, c.echoes("after"))
		assert.Empty(t, b.told, fault.String())
	}
}

// TestExamplesAndUnknownKeys: what a kind says of itself is true, and what it does not know is refused.
func TestExamplesAndUnknownKeys(t *testing.T) {
	for _, k := range faults.Builtin() {
		var entry struct {
			On    string
			Fault any
		}
		require.NoError(t, yaml.Unmarshal([]byte(k.Example), &entry), k.Name)
		var value any
		if m, ok := entry.Fault.(map[string]any); ok {
			value = m[k.Name]
		}
		_, problems := faults.Parse(k.Name, value)
		assert.Empty(t, problems, k.Name)
		_, problems = faults.Parse(k.Name, map[string]any{"no_such_key": 1})
		if assert.Len(t, problems, 1, k.Name) {
			assert.True(t, strings.Contains(problems[0].Text, "no_such_key"), problems[0].Text)
		}
	}
}

// What is left of a connection that was open before the fault came on.

func working(t *testing.T, _ *bench, old *client) {
	assert.NoError(t, old.echoes("still working"))
}

// broken: the fault itself ended it, and shows has seen how.
func broken(t *testing.T, _ *bench, old *client) {
	_, err := old.in.ReadByte()
	assert.Error(t, err)
}

func dead(t *testing.T, b *bench, old *client) {
	assert.NoError(t, old.says("to the dead"))
	assert.NoError(t, old.silent())
	assert.False(t, b.heard("to the dead"))
}

func ended(t *testing.T, _ *bench, old *client) {
	_, err := old.in.ReadByte()
	assert.ErrorIs(t, err, io.EOF)
}

func resumed(t *testing.T, b *bench, old *client) {
	assert.NoError(t, old.hears("withheld"), "what was sent meanwhile is answered late")
	working(t, b, old)
}
