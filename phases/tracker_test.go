package phases

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/chaos-startup/chaos/timeline"
)

// told writes changes as one word each: + begin or - end, the phase, the source, ~ where it is not exact, ! where it is not declared.
func told(changes []Change) string {
	var words []string
	for _, c := range changes {
		word := "-"
		if c.Begin {
			word = "+"
		}
		word += c.Phase + "/" + c.Source
		if !c.Exact {
			word += "~"
		}
		if !c.Declared {
			word += "!"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// fed is one thing that a tracker is fed with and what it should tell.
type fed struct{ what, value, want string }

func feedAll(t *testing.T, tracker *Tracker, steps []fed) {
	t.Helper()
	for _, s := range steps {
		var got []Change
		switch s.what {
		case "log":
			got = tracker.Log(s.value)
		case "connect":
			got = tracker.Connect(s.value)
		case "notify":
			got = tracker.Notify(s.value)
		case "mark":
			got = tracker.Mark(s.value)
		case "poll":
			name, end := strings.CutSuffix(s.value, " ends")
			got = tracker.Polled(name, !end)
		case "ready":
			got = tracker.Ready()
		case "exit":
			got = tracker.Exit()
		case "reset":
			tracker.Reset()
		default:
			t.Fatalf("cannot feed %s", s.what)
		}
		assert.Equal(t, s.want, told(got), "%s %q", s.what, s.value)
	}
}

func TestShorthand(t *testing.T) {
	order := []string{"init", "dependencies", "Database", "cache"}
	transition := `PHASE TRANSITION .*-> *(?P<phase>\w+)`
	for name, c := range map[string]struct {
		spec  Spec
		steps []fed
	}{
		"a start": {Spec{Pattern: transition, Order: order}, []fed{
			{"log", "booting", ""},
			{"log", "12:00 PHASE TRANSITION -> INIT", "+init/log"},
			{"log", "PHASE 1: INIT - foundation", ""},
			{"log", "PHASE TRANSITION INIT -> DEPENDENCIES", "-init/next +dependencies/log"},
			{"log", "PHASE TRANSITION -> DATABASE", "-dependencies/next +Database/log"},
			{"ready", "", ""},
			{"connect", "cache", ""},
			{"exit", "", "-Database/exit"},
			{"exit", "", ""},
		}},
		"repeated while it is on": {Spec{Pattern: transition, Order: order}, []fed{
			{"log", "PHASE TRANSITION -> INIT", "+init/log"},
			{"log", "PHASE TRANSITION -> init", ""},
		}},
		"named again later": {Spec{Pattern: transition, Order: order}, []fed{
			{"log", "PHASE TRANSITION -> INIT", "+init/log"},
			{"log", "PHASE TRANSITION -> CACHE", "-init/next +cache/log"},
			{"log", "PHASE TRANSITION -> INIT", "-cache/next +init/log"},
		}},
		"not declared": {Spec{Pattern: transition, Order: order}, []fed{
			{"log", "PHASE TRANSITION -> Warp", "+Warp/log!"},
			{"log", "PHASE TRANSITION -> WARP", ""},
			{"log", "PHASE TRANSITION -> INIT", "-Warp/next! +init/log"},
			{"log", "PHASE TRANSITION -> warp", "-init/next +Warp/log!"},
		}},
		"without order": {Spec{Pattern: transition}, []fed{
			{"log", "PHASE TRANSITION -> Warp", "+Warp/log"},
			{"log", "PHASE TRANSITION -> Next", "-Warp/next +Next/log"},
		}},
		"ends": {Spec{Pattern: `PHASE .*: (?P<phase>\w+)`, Ends: `COMPLETED: (?P<phase>\w+)`, Order: order}, []fed{
			{"log", "PHASE 1: INIT", "+init/log"},
			{"log", "PHASE COMPLETED: INIT (0.1s)", "-init/log"},
			{"log", "PHASE COMPLETED: INIT (0.1s)", ""}, // printed twice
			{"log", "PHASE COMPLETED: CACHE", ""},       // never began
			{"log", "PHASE 3: DATABASE", "+Database/log"},
			{"log", "PHASE 4: CACHE", "-Database/next +cache/log"},
			{"exit", "", "-cache/exit"},
		}},
		"one line ends and begins": {Spec{Pattern: `to (?P<phase>\w+)`, Ends: `from (?P<phase>\w+)`, Order: order}, []fed{
			{"log", "to init", "+init/log"},
			{"log", "from init to cache", "-init/log +cache/log"},
			{"log", "from init to database", "-cache/next +Database/log"},
		}},
		"empty names": {Spec{Pattern: `phase=(?P<phase> *\w*)|other`, Order: order}, []fed{
			{"log", "phase=", ""}, {"log", "other", ""}, {"log", "phase=  cache", "+cache/log"},
		}},
		"a new incarnation": {Spec{Pattern: transition, Order: order}, []fed{
			{"log", "PHASE TRANSITION -> INIT", "+init/log"},
			{"exit", "", "-init/exit"},
			{"reset", "", ""},
			{"log", "PHASE TRANSITION -> INIT", "+init/log"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tracker, err := New(c.spec)
			require.NoError(t, err)
			feedAll(t, tracker, c.steps)
		})
	}
}

func TestLongForm(t *testing.T) {
	warmup := &HTTP{URL: "http://127.0.0.1/", JSON: "$.phase", Equals: "warmup"}
	list := []Phase{
		{Name: "init", Begins: Match{Log: "PHASE 1"}, Ends: &Match{Log: "COMPLETED: INIT"}},
		{Name: "database", Begins: Match{Connect: "postgres"}, Ends: &Match{Connect: "postgres"}},
		{Name: "cache", Begins: Match{Log: "(?i)cache"}},
		{Name: "warmup", Begins: Match{HTTP: warmup}, Ends: &Match{HTTP: warmup}},
		{Name: "serving", Begins: Match{Notify: "READY=1"}, Ends: &Match{Notify: "STOPPING=1"}},
		{Name: "late", Begins: Match{Mark: "late"}, Ends: &Match{Mark: "done"}},
		{Name: "up", Begins: Match{Ready: true}},
	}
	tracker, err := New(Spec{List: list})
	require.NoError(t, err)
	steps := []fed{
		{"log", "PHASE 1: INIT", "+init/log"},
		{"log", "PHASE 1: INIT", ""},
		{"log", "PHASE COMPLETED: INIT", "-init/log"},
		{"connect", "redis", ""},
		{"connect", "postgres", "+database/connect"},
		{"connect", "postgres", "-database/connect"},
		{"connect", "postgres", ""},
		{"log", "opening the Cache", "+cache/log"},
		{"poll", "warmup", "-cache/next~ +warmup/http~"},
		{"poll", "warmup", ""},
		{"poll", "warmup ends", "-warmup/http~"},
		{"notify", "STATUS=fine\nREADY=1\n", "+serving/notify"},
		{"notify", "READY=10", ""},
		{"notify", "STOPPING=1", "-serving/notify"},
		{"mark", "/late", "+late/mark"},
		{"mark", "later", ""},
		{"mark", "done", "-late/mark"},
		{"mark", "done", ""},
		{"ready", "", "+up/ready~"},
		{"ready", "", ""},
		{"log", "PHASE 1: INIT", ""},
		{"exit", "", "-up/exit"},
	}
	feedAll(t, tracker, steps)
	assert.Equal(t, []string{"init", "database", "cache", "warmup", "serving", "late", "up"}, tracker.Seen())
	assert.Empty(t, tracker.Missing())
	tracker.Reset()
	assert.Empty(t, tracker.Seen())
	assert.Equal(t, []string{"init", "database", "cache", "warmup", "serving", "late", "up"}, tracker.Missing())
	feedAll(t, tracker, steps)

	asked := *warmup
	asked.Interval = defaultPollInterval
	assert.Equal(t, []Poll{{"warmup", true, asked}, {"warmup", false, asked}}, tracker.Polls())
}

func TestOneLineEndsOnePhaseAndBeginsAnother(t *testing.T) {
	tracker, err := New(Spec{List: []Phase{
		{Name: "b", Begins: Match{Log: "done, next"}},
		{Name: "a", Begins: Match{Log: "start"}, Ends: &Match{Log: "done"}},
	}})
	require.NoError(t, err)
	feedAll(t, tracker, []fed{{"log", "start", "+a/log"}, {"log", "done, next", "-a/log +b/log"}})
	assert.Equal(t, "b", tracker.Current())
}

func TestTheZeroSpecKnowsNoPhase(t *testing.T) {
	tracker, err := New(Spec{})
	require.NoError(t, err)
	feedAll(t, tracker, []fed{{"log", "PHASE 1", ""}, {"connect", "", ""}, {"mark", "", ""}, {"notify", "", ""}, {"ready", "", ""}, {"exit", "", ""}})
	assert.Empty(t, tracker.Missing())
	assert.Empty(t, tracker.Polls())
}

func TestNewRefusesBadSpecs(t *testing.T) {
	one := func(begins Match) Spec { return Spec{List: []Phase{{Name: "cache", Begins: begins}}} }
	for name, c := range map[string]struct {
		spec Spec
		want string
	}{
		"both forms":      {Spec{Pattern: "x", List: []Phase{{}}}, "both a pattern and a list"},
		"no pattern":      {Spec{Order: []string{"a"}}, "need a pattern"},
		"pattern":         {Spec{Pattern: "("}, "phases: pattern: error parsing regexp"},
		"no group":        {Spec{Pattern: `PHASE (\w+)`}, "expected a group named phase"},
		"ends":            {Spec{Pattern: `(?P<phase>a)`, Ends: "done"}, "phases: ends done: expected a group"},
		"order twice":     {Spec{Pattern: `(?P<phase>a)`, Order: []string{"a", "A"}}, "order names a twice (a and A)"},
		"order empty":     {Spec{Pattern: `(?P<phase>a)`, Order: []string{""}}, "an empty name"},
		"budgets":         {Spec{Pattern: `(?P<phase>a)`, Order: []string{"a"}, Budgets: map[string]timeline.Duration{"b": 1}}, "budgets names b"},
		"no name":         {Spec{List: []Phase{{}}}, "phase 1 has no name"},
		"two of a name":   {Spec{List: []Phase{{Name: "a", Begins: Match{Ready: true}}, {Name: "a", Begins: Match{Ready: true}}}}, "two phases are named a"},
		"nothing":         {one(Match{}), "phase cache, begins: nothing is named"},
		"two sources":     {one(Match{Log: "x", Ready: true}), "phase cache, begins: log and ready; expected exactly one"},
		"bad regexp":      {one(Match{Log: "("}), "phase cache, begins: log: error parsing"},
		"http":            {one(Match{HTTP: &HTTP{URL: "x"}}), "phase cache, begins: http needs url and json"},
		"bad end":         {Spec{List: []Phase{{Name: "a", Begins: Match{Ready: true}, Ends: &Match{}}}}, "phase a, ends: nothing"},
		"all at once (1)": {Spec{List: []Phase{{Name: "a"}, {Name: "b", Begins: Match{Log: "("}}}}, "phase a, begins"},
		"all at once (2)": {Spec{List: []Phase{{Name: "a"}, {Name: "b", Begins: Match{Log: "("}}}}, "phase b, begins"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(c.spec)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// Whatever a tracker is fed with: begins and ends alternate, what it tells agrees with Current, Seen and Missing, and in the long
// form a phase begins at most once.
func TestBeginsAndEndsAlternate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d"}
		spec := anySpec(t, names)
		tracker, err := New(spec)
		if err != nil {
			t.Fatal(err)
		}
		current, begun := "", map[string]int{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			name := rapid.SampledFrom(names).Draw(t, "name")
			if rapid.IntRange(0, 30).Draw(t, "reset") == 0 {
				tracker.Reset()
				current, begun = "", map[string]int{}
			}
			for _, c := range anyStep(t, tracker, name) {
				switch {
				case c.Begin && current == "":
					current = c.Phase
					begun[c.Phase]++
				case !c.Begin && current == c.Phase:
					current = ""
				default:
					t.Fatalf("%s while %q is on", told([]Change{c}), current)
				}
				if c.Declared != slices.Contains(append(tracker.Missing(), tracker.Seen()...), c.Phase) {
					t.Fatalf("declared is wrong: %+v", c)
				}
			}
			check(t, tracker, spec, current, begun)
		}
	})
}

func check(t *rapid.T, tracker *Tracker, spec Spec, current string, begun map[string]int) {
	if tracker.Current() != current {
		t.Fatalf("current is %q, told was %q", tracker.Current(), current)
	}
	if len(tracker.Seen()) != len(begun) || len(tracker.Seen())+len(tracker.Missing()) != 4 {
		t.Fatalf("seen %v, missing %v, told %v", tracker.Seen(), tracker.Missing(), begun)
	}
	for name, n := range begun {
		if n > 1 && spec.Pattern == "" {
			t.Fatalf("%s began %d times", name, n)
		}
		if !slices.Contains(tracker.Seen(), name) {
			t.Fatalf("%s began and is not seen", name)
		}
	}
}

func anySpec(t *rapid.T, names []string) Spec {
	if rapid.Bool().Draw(t, "shorthand") {
		s := Spec{Pattern: `begin (?P<phase>\w)`, Order: names}
		if rapid.Bool().Draw(t, "with ends") {
			s.Ends = `end (?P<phase>\w)`
		}
		return s
	}
	anyMatch := func(verb, name string) Match {
		asked := &HTTP{URL: "http://h/", JSON: "$.phase"}
		return rapid.SampledFrom([]Match{{Log: verb + " " + name}, {Connect: name}, {HTTP: asked}, {Notify: verb + "=" + name}, {Mark: name}, {Ready: true}}).
			Draw(t, verb+name)
	}
	var s Spec
	for _, name := range names {
		p := Phase{Name: name, Begins: anyMatch("begin", name)}
		if rapid.Bool().Draw(t, "with an end") {
			ends := anyMatch("end", name)
			p.Ends = &ends
		}
		s.List = append(s.List, p)
	}
	return s
}

func anyStep(t *rapid.T, tracker *Tracker, name string) []Change {
	switch rapid.IntRange(0, 9).Draw(t, "step") {
	case 0, 1:
		return tracker.Log("begin " + name)
	case 2:
		return tracker.Log("end " + name)
	case 3:
		other := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "other")
		return tracker.Log("end " + name + " begin " + other)
	case 4:
		return tracker.Connect(name)
	case 5:
		return tracker.Notify(rapid.SampledFrom([]string{"begin=", "end="}).Draw(t, "verb") + name)
	case 6:
		return tracker.Mark(name)
	case 7:
		return tracker.Polled(name, rapid.Bool().Draw(t, "begins"))
	case 8:
		return tracker.Ready()
	default:
		return tracker.Exit()
	}
}

// The literal that spares the regular expression never hides a match.
func TestTheLiteralHidesNoMatch(t *testing.T) {
	pieces := []string{"a", "b", "PHASE", "(?i:phase)", ".*", "x?", "(?:ab)+", "(?:ab)*", "(a|PHASE)", "[ab]", "(?:PHASE ){2}", "(?:PHASE ){0,2}", "^", "$", `\w`, `\x{FFFD}`}
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 6).Draw(t, "pattern"), "")
		line := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "PHASE", "phase", " ", "ab", "x", "\xff"}), 0, 8).Draw(t, "line"), "")
		tracker, err := New(Spec{List: []Phase{{Name: "p", Begins: Match{Log: pattern}}}})
		if err != nil {
			t.Fatal(err)
		}
		want := tracker.list[0].begins.line.re.MatchString(line)
		if got := len(tracker.Log(line)) == 1; got != want {
			t.Fatalf("%q on %q: %v, the regular expression says %v", pattern, line, got, want)
		}
	})
}

func TestBuiltinNamesEverySource(t *testing.T) {
	for _, k := range Builtin() {
		assert.True(t, strings.HasSuffix(k.Doc, "."), k.Name)
		assert.Contains(t, k.Example, "begins: ", k.Name)
		assert.Contains(t, Markdown(), "## "+k.Name+"\n")
	}
	assert.Len(t, Builtin(), 6)
}

func BenchmarkLog(b *testing.B) {
	seven := Spec{}
	for i := range 7 {
		seven.List = append(seven.List, Phase{Name: fmt.Sprint(i), Begins: Match{Log: fmt.Sprintf(`PHASE %d: \w+`, i)}, Ends: &Match{Log: `PHASE COMPLETED: \w+`}})
	}
	line := `2026-01-02T03:04:05.678Z INFO  [worker-17] handled GET /api/v1/threads/42/messages in 3.21ms status=200 bytes=18231 user=alice`
	for name, spec := range map[string]Spec{
		"shorthand":           {Pattern: `PHASE TRANSITION .*-> *(?P<phase>\w+)`, Ends: `PHASE COMPLETED: (?P<phase>\w+)`},
		"shorthand unlucky":   {Pattern: `.*\[(?P<phase>\w+)\] begins`},
		"shorthand fold case": {Pattern: `(?i)phase \d+: (?P<phase>\w+)`},
		"seven phases":        seven,
	} {
		b.Run(name, func(b *testing.B) {
			tracker, err := New(spec)
			require.NoError(b, err)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if tracker.Log(line) != nil {
					b.Fatal("it matches")
				}
			}
		})
	}
}
