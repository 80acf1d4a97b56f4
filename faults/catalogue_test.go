package faults

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

func TestEveryKindIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Builtin() {
		assert.Regexp(t, `^[a-z]+(_[a-z]+)*$`, k.Name)
		assert.False(t, seen[k.Name], "%s is there twice", k.Name)
		seen[k.Name] = true
		for what, text := range map[string]string{"Doc": k.Doc, "Client": k.Client} {
			assert.Regexp(t, `^[\x20-\x7e]+\.$`, text, "%s of %s is plain ASCII and ends like a sentence", what, k.Name)
		}
		require.NotNil(t, k.Behave, k.Name)
		for _, p := range k.Params {
			describedParam(t, k, p)
		}
		found, ok := Lookup(k.Name)
		assert.True(t, ok)
		assert.Equal(t, k.Doc, found.Doc)
	}
	_, ok := Lookup("nonsense")
	assert.False(t, ok)
}

func describedParam(t *testing.T, k Kind, p Param) {
	t.Helper()
	name := k.Name + "." + p.Name
	assert.Regexp(t, `^[a-z]+(_[a-z]+)*$`, p.Name, name)
	assert.Regexp(t, `^[\x20-\x7e]+\.$`, p.Doc, name)
	got, mistake, _ := p.read(p.Default)
	assert.Empty(t, mistake, "%s: the default is allowed", name)
	assert.Equal(t, p.Default, got, "%s: the default has the type of the parameter", name)
	assert.Equal(t, p.Type == TypeEnum, len(p.Enum) > 0, name)
	if p.Type == TypeInt || p.Type == TypeDuration || p.Type == TypeFloat {
		require.NotNil(t, p.Min, "%s: a number without a limit reaches the library unchecked", name)
		require.NotNil(t, p.Max, name)
		assert.IsType(t, p.Default, p.Min, name)
		assert.IsType(t, p.Default, p.Max, name)
	}
	assert.Equal(t, p.Type == TypeInt, p.Unit != "", "%s: a whole number has a unit", name)
}

func TestEveryExampleParses(t *testing.T) {
	for _, k := range Builtin() {
		var entry map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(k.Example), &entry), k.Name)
		assert.NotEmpty(t, entry["on"], k.Name)
		kind, value := k.Name, any(nil)
		switch f := entry["fault"].(type) {
		case string:
			assert.Equal(t, k.Name, f)
		case map[string]any:
			require.Contains(t, f, k.Name)
			require.Len(t, f, 1)
			value = f[k.Name]
		default:
			t.Errorf("%s: no fault in %s", k.Name, k.Example)
		}
		spec, problems := Parse(kind, value)
		assert.Empty(t, problems, k.Name)
		assert.NotEmpty(t, does(spec.Behaviour()), "%s does something", k.Name)
	}
}

// does says which parts of a behaviour are set; a Behaviour has functions and cannot be compared.
func does(b Behaviour) string {
	s := ""
	for _, part := range []struct {
		set  bool
		name string
	}{{b.Refuse != 0, "refuse"}, {b.Accept != LetIn, "accept"}, {b.Open != LeaveOpen, "open"}, {b.After != 0, "after"}, {b.Lift != GoOn, "lift"},
		{b.Cycle != Cycle{}, "cycle"}, {b.Connect != nil, "connect"}, {b.Filter != nil, "filter"}, {b.Converse != nil, "converse"},
		{b.Hang, "hang"}, {b.Late != nil, "late"}, {b.Cap != 0, "cap"}, {b.Resolve != nil, "resolve"}} {
		if part.set {
			s += " " + part.name
		}
	}
	return s
}

func behaviour(t *testing.T, kind string, value any) Behaviour {
	t.Helper()
	spec, problems := Parse(kind, value)
	require.Empty(t, problems)
	return spec.Behaviour()
}

func TestBehaviours(t *testing.T) {
	for _, c := range []struct {
		kind  string
		value any
		does  string
		check func(Behaviour) bool
	}{
		{"refuse", nil, " refuse", func(b Behaviour) bool { return b.Refuse == syscall.ECONNREFUSED }},
		{"refuse", "ETIMEDOUT", " refuse", func(b Behaviour) bool { return b.Refuse == syscall.ETIMEDOUT }},
		{"refuse", "EHOSTUNREACH", " refuse", func(b Behaviour) bool { return b.Refuse == syscall.EHOSTUNREACH }},
		{"refuse", "ENETUNREACH", " refuse", func(b Behaviour) bool { return b.Refuse == syscall.ENETUNREACH }},
		{"cut", nil, " refuse accept open", func(b Behaviour) bool {
			return b.Refuse == syscall.ECONNREFUSED && b.Accept == ResetIt && b.Open == ResetOpen
		}},
		{"flap", map[string]any{"up": "2s", "down": "3s"}, " refuse accept open cycle", func(b Behaviour) bool {
			return b.Cycle == Cycle{Up: 2 * time.Second, Down: 3 * time.Second} && b.Open == ResetOpen
		}},
		{"accept_close", nil, " accept", func(b Behaviour) bool { return b.Accept == CloseIt }},
		{"reset", nil, " accept open", func(b Behaviour) bool { return b.Accept == ResetIt && b.Open == ResetOpen }},
		{"reset", "2s", " accept open after", func(b Behaviour) bool { return b.After == 2*time.Second }},
		{"reset", map[string]any{"bytes": 1, "after": "1s"}, " filter", func(b Behaviour) bool { return only(b, Downstream) && b.BytesPass }},
		{"reset", map[string]any{"at": "data", "direction": "upstream", "after": "1s"}, " open after filter", func(b Behaviour) bool {
			return b.Open == ResetOpen && b.After == time.Second && only(b, Upstream) && b.BytesPass
		}},
		{"blackhole", nil, " accept lift filter", func(b Behaviour) bool { return b.Accept == LeaveSilent && b.Lift == StayDead && only(b, Both) }},
		{"blackhole", "close", " accept lift filter", func(b Behaviour) bool { return b.Accept == LeaveSilent && b.Lift == CloseThem && only(b, Both) }},
		{"blackhole", "resume", " filter", func(b Behaviour) bool { return b.Lift == GoOn && only(b, Both) }},
		{"timeout", nil, " lift filter", func(b Behaviour) bool { return b.Lift == CloseThem && only(b, Both) }},
		{"timeout", map[string]any{"direction": "upstream"}, " lift filter", func(b Behaviour) bool { return only(b, Upstream) }},
		{"limit_data", map[string]any{"direction": "upstream"}, " filter", func(b Behaviour) bool { return only(b, Upstream) }},
		{"latency", nil, " filter", func(b Behaviour) bool { return only(b, Downstream) }},
		{"latency", map[string]any{"direction": "upstream"}, " filter", func(b Behaviour) bool { return only(b, Upstream) }},
		{"latency", map[string]any{"direction": "both"}, " filter", func(b Behaviour) bool { return only(b, Both) }},
		{"latency", map[string]any{"connect": true}, " connect filter", func(b Behaviour) bool {
			return b.Connect(rand.New(rand.NewPCG(1, 2))) == 100*time.Millisecond
		}},
		{"bandwidth", map[string]any{"rate": 12, "direction": "both"}, " filter", func(b Behaviour) bool { return only(b, Both) }},
		{"slow_close", nil, " filter", func(b Behaviour) bool { return only(b, Downstream) && b.BitesEnd && b.BytesPass }},
		{"dns", nil, " resolve", resolves(NXDomain, 0)},
		{"dns", "no_data", " resolve", resolves(NoData, 0)},
		{"dns", "servfail", " resolve", resolves(ServFail, 0)},
		{"dns", "refused", " resolve", resolves(RefuseQuery, 0)},
		{"dns", "silent", " resolve", resolves(Silent, 0)},
		{"dns", "slow", " resolve", resolves(Truth, 3*time.Second)},
		{"dns", map[string]any{"answer": "slow", "delay": "1s"}, " resolve", resolves(Truth, time.Second)},
		{"dns", map[string]any{"answer": "servfail", "delay": "1s"}, " resolve", resolves(ServFail, time.Second)},
		{"dns", "wrong_address", " resolve", resolves(WrongAddress, 0)},
		{"limit_data", nil, " filter", func(b Behaviour) bool { return only(b, Downstream) && b.BytesPass }},
	} {
		b := behaviour(t, c.kind, c.value)
		assert.Equal(t, c.does, does(b), "%s %v", c.kind, c.value)
		assert.True(t, c.check(b), "%s %v: %+v", c.kind, c.value, b)
	}
}

func resolves(answer NameAnswer, delay time.Duration) func(Behaviour) bool {
	return func(b Behaviour) bool { return *b.Resolve == Resolution{Answer: answer, Delay: delay} }
}

// only says whether a behaviour filters exactly those directions.
func only(b Behaviour, want Direction) bool {
	for _, d := range []Direction{Downstream, Upstream} {
		if (b.Filter(d, rand.New(rand.NewPCG(1, 2))) != nil) != want.Covers(d) {
			return false
		}
	}
	return true
}

func TestDirection(t *testing.T) {
	for _, d := range []Direction{Downstream, Upstream, Both} {
		assert.Equal(t, d, Spec{Kind: "latency", Params: map[string]any{"direction": d.String()}}.direction())
	}
	assert.True(t, Both.Covers(Upstream))
	assert.True(t, Upstream.Covers(Upstream))
	assert.False(t, Upstream.Covers(Downstream))
}
