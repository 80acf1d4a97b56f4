package faults

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/timeline"
)

// fromYAML reads what may stand behind `fault:` the way a file is read: a name, or a mapping with one name.
func fromYAML(t *testing.T, text string) (kind string, value any) {
	t.Helper()
	var v any
	require.NoError(t, yaml.Unmarshal([]byte(text), &v), text)
	switch v := v.(type) {
	case string:
		return v, nil
	case map[string]any:
		require.Len(t, v, 1, text)
		for name, value := range v {
			return name, value
		}
	}
	t.Fatalf("%s is neither a name nor a mapping", text)
	return "", nil
}

func TestParseAccepts(t *testing.T) {
	for text, want := range map[string]string{ // the Spec in its short form, which leaves out defaults
		"refuse":                                "refuse",
		"{refuse: }":                            "refuse",
		"{refuse: {}}":                          "refuse",
		"{refuse: ECONNREFUSED}":                "refuse",
		"{refuse: ETIMEDOUT}":                   "refuse ETIMEDOUT",
		"{refuse: {errno: ENETUNREACH}}":        "refuse ENETUNREACH",
		"cut":                                   "cut",
		"{cut: {}}":                             "cut",
		"{latency: 3s}":                         "latency 3s",
		"{latency: 100ms}":                      "latency",
		"{latency: {delay: 3s}}":                "latency 3s",
		"{latency: 0}":                          "latency 0s",
		"{latency: 1h}":                         "latency 1h",
		"{latency: 90s}":                        "latency 1m30s",
		"{latency: 120s}":                       "latency 2m",
		"{latency: {jitter: 5ms}}":              "latency{jitter: 5ms}",
		"{latency: {delay: 3s, jitter: 100ms}}": "latency{delay: 3s, jitter: 100ms}",
		"{latency: {delay: 1s, direction: both, connect: true}}": "latency{delay: 1s, direction: both, connect: true}",
		"{latency: {connect: 'true'}}":                           "latency{connect: true}",
		"{bandwidth: 1}":                                         "bandwidth 1",
		"{bandwidth: '64'}":                                      "bandwidth 64", // a ${variable} is text
		"{bandwidth: 1e3}":                                       "bandwidth 1000",
		"{bandwidth: 10000000}":                                  "bandwidth 10000000",
		"{slicer: {average_size: 2, size_variation: 1}}":         "slicer{average_size: 2, size_variation: 1}",
		"{timeout: 0}":                                           "timeout 0s",
		"{blackhole: resume}":                                    "blackhole resume",
		"{reset: {bytes: 1099511627776}}":                        "reset{bytes: 1099511627776}",
		"{dns: servfail}":                                        "dns servfail",
		"{dns: {answer: slow, delay: 2s}}":                       "dns{answer: slow, delay: 2s}",
		"{flap: {up: 2s, down: 1ms}}":                            "flap{up: 2s, down: 1ms}",
		"{limit_data: 0}":                                        "limit_data",
		"{postgres_error: 53300}":                                "postgres_error 53300",
		"{postgres_error: '08006'}":                              "postgres_error 08006",
		"{postgres_error: {code: 42P01, match: orders}}":         "postgres_error{code: 42P01, match: orders}",
	} {
		kind, value := fromYAML(t, text)
		spec, problems := Parse(kind, value)
		if assert.Empty(t, problems, text) {
			assert.Equal(t, want, spec.String(), text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string][]string{ // every problem, with its suggestion
		"latncy":                     {`there is no fault "latncy"; known are ` + strings.Join(names(), ", ") + `; did you mean latency?`},
		"{latency: 5}":               {`latency.delay: expected a duration such as 3s, got 5; did you mean 5s?`},
		"{latency: 500}":             {`latency.delay: expected a duration such as 3s, got 500; did you mean 500ms?`},
		"{latency: '1.5'}":           {`latency.delay: expected a duration such as 3s, got "1.5"; did you mean 1.5s?`},
		"{latency: fast}":            {`latency.delay: expected a duration such as 3s, got "fast"`},
		"{latency: [1s]}":            {`latency.delay: expected a duration such as 3s, got a list`},
		"{latency: {delay: }}":       {`latency.delay: expected a duration such as 3s, got nothing`},
		"{latency: {delay: {a: 1}}}": {`latency.delay: expected a duration such as 3s, got a mapping`},
		"{latency: -3s}":             {`latency.delay must be from 0s to 1h, got -3s`},
		"{latency: 61m}":             {`latency.delay must be from 0s to 1h, got 1h1m`},
		"{latency: {dealy: 3s}}":     {`latency has no parameter "dealy"; it takes delay, jitter, direction, connect; did you mean delay?`},
		"{latency: {connect: yep}}":  {`latency.connect: expected true or false, got "yep"`},
		"{latency: {direction: up}}": {`latency.direction: expected one of downstream, upstream, both, got "up"; did you mean upstream?`},
		"{latency: {zzz: 1, jitter: true, delay: 2}}": { // all at once
			`latency has no parameter "zzz"; it takes delay, jitter, direction, connect`,
			`latency.delay: expected a duration such as 3s, got 2; did you mean 2s?`,
			`latency.jitter: expected a duration such as 3s, got true`},
		"{refuse: ECONREFUSED}":             {`refuse.errno: expected one of ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, got "ECONREFUSED"; did you mean ECONNREFUSED?`},
		"{refuse: 111}":                     {`refuse.errno: expected one of ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, got 111`},
		"{cut: 3s}":                         {`cut takes no parameter, got "3s"; did you mean cut?`},
		"{cut: {for: 3s}}":                  {`cut takes no parameters, got "for"`},
		"{bandwidth: 0}":                    {`bandwidth.rate must be from 1 to 10000000, got 0`},
		"{bandwidth: -1}":                   {`bandwidth.rate must be from 1 to 10000000, got -1`}, // panics in Toxiproxy
		"{bandwidth: 1.5}":                  {`bandwidth.rate: expected a whole number, got 1.5`},
		"{bandwidth: 100KB/s}":              {`bandwidth.rate: expected a whole number, got "100KB/s"`},
		"{bandwidth: 18446744073709551615}": {`bandwidth.rate: expected a whole number, got 18446744073709551615`},
		"{bandwidth: .nan}":                 {`bandwidth.rate: expected a whole number, got NaN`},
		"{bandwidth: .inf}":                 {`bandwidth.rate: expected a whole number, got +Inf`},
		"{slicer: 0}":                       {`slicer.average_size must be from 1 to 1048576, got 0`}, // overflows the stack in Toxiproxy
		"{slicer: {size_variation: -1}}":    {`slicer.size_variation must be from 0 to 1048576, got -1`},
		"{slicer: {average_size: 8, size_variation: 9}}": {`slicer.size_variation must be at most average_size, which is 8, got 9`},
		"{slicer: {size_variation: 65}}":                 {`slicer.size_variation must be at most average_size, which is 64, got 65`},
		"{blackhole: quiet}":                             {`blackhole.ending: expected one of silent, close, resume, got "quiet"`},
		"{limit_data: -1}":                               {`limit_data.bytes must be from 0 to 1099511627776, got -1`},
		"{dns: {answer: silent, delay: 1s}}":             {`dns.delay: silent never answers, so it can't be late`},
		"{dns: nxdomian}":                                {`dns.answer: expected one of nxdomain, no_data, servfail, refused, silent, slow, wrong_address, got "nxdomian"; did you mean nxdomain?`},
		"{flap: {up: 0, down: 0}}":                       {`flap.up must be from 1ms to 1h, got 0s`, `flap.down must be from 1ms to 1h, got 0s`},
		"{reset_peer: {timeout: 5}}":                     {`there is no fault "reset_peer"; known are ` + strings.Join(names(), ", ") + `; did you mean reset?`},
		"{postgres_error: 57p03}":                        {`postgres_error.code: expected an SQLSTATE: five characters A-Z and 0-9, in quotes if all are digits, got "57p03"`},
		"{postgres_error: 08006}":                        {`postgres_error.code: expected an SQLSTATE: five characters A-Z and 0-9, in quotes if all are digits, got 8006`},
		"{postgres_error: '00000'}":                      {`postgres_error.code: 00000 is no error; its class must be 03 or higher`},
		"{postgres_error: {at: statements}}":             {`postgres_error.at: expected one of auto, startup, session, statement, got "statements"; did you mean statement?`},
		"{postgres_error: {match: x}}":                   {`postgres_error.match is for statements, and 57P03 strikes at startup; did you mean at: statement?`},
		"{postgres_error: {code: 42P01, match: '('}}":    {"postgres_error.match: expected a regular expression, got \"(\" (error parsing regexp: missing closing ): `(`)"},
	} {
		kind, value := fromYAML(t, text)
		spec, problems := Parse(kind, value)
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
		}
		assert.Equal(t, want, got, text)
		assert.Equal(t, Spec{}, spec, "%s: a Spec with problems must not be used", text)
	}
}

func TestParseNamesTheParameter(t *testing.T) {
	_, problems := Parse("latency", map[string]any{"dealy": "3s", "jitter": "x"})
	require.Len(t, problems, 2)
	assert.Equal(t, "dealy", problems[0].Param)
	assert.Equal(t, "delay", problems[0].Suggest)
	assert.Equal(t, "jitter", problems[1].Param)
	_, problems = Parse("nonsense", nil)
	require.Len(t, problems, 1)
	assert.Empty(t, problems[0].Param)
	assert.Empty(t, problems[0].Suggest)
}

func TestParseTakesGoValues(t *testing.T) {
	for _, v := range []any{3 * time.Second, timeline.Duration(3 * time.Second), "3s", map[string]any{"delay": 3 * time.Second}} {
		spec, problems := Parse("latency", v)
		require.Empty(t, problems)
		assert.Equal(t, 3*time.Second, spec.Duration("delay"))
	}
	for _, v := range []any{7, int64(7), uint64(7), 7.0, "7", " 7 "} {
		spec, problems := Parse("bandwidth", v)
		require.Empty(t, problems)
		assert.Equal(t, int64(7), spec.Int("rate"))
	}
	_, problems := Parse("latency", struct{}{})
	require.Len(t, problems, 1)
	assert.Equal(t, "latency.delay: expected a duration such as 3s, got a struct {}", problems[0].Text)
}

func TestReadFloat(t *testing.T) { // no kind has a number with a fraction yet
	p := Param{Name: "share", Type: TypeFloat, Default: 1.0, Min: 0.0, Max: 1.0}
	for _, v := range []any{0.5, "0.5"} {
		got, mistake, _ := p.read(v)
		assert.Empty(t, mistake)
		assert.InEpsilon(t, 0.5, got, 1e-9)
	}
	for _, v := range []any{1, int64(1), uint64(1)} {
		got, mistake, _ := p.read(v)
		assert.Empty(t, mistake)
		assert.InEpsilon(t, 1.0, got, 1e-9)
	}
	for v, want := range map[any]string{7: " must be from 0 to 1, got 7", "x": `: expected a number, got "x"`, math.Inf(1): ": expected a number, got +Inf",
		"nan": `: expected a number, got "nan"`, true: ": expected a number, got true"} {
		_, mistake, _ := p.read(v)
		assert.Equal(t, want, mistake)
	}
	assert.Equal(t, "at least 1", Param{Min: int64(1)}.Range())
	assert.Equal(t, "at most 1", Param{Max: int64(1)}.Range())
	assert.Empty(t, Param{}.Range())
}

func TestSpecAccessors(t *testing.T) {
	spec, problems := Parse("latency", map[string]any{"jitter": "5ms", "connect": true})
	require.Empty(t, problems)
	assert.Equal(t, map[string]any{"delay": timeline.Duration(100 * time.Millisecond), "jitter": timeline.Duration(5 * time.Millisecond),
		"direction": "downstream", "connect": true}, spec.Params, "every parameter is there, defaults too")
	assert.True(t, spec.Bool("connect"))
	assert.Equal(t, "downstream", spec.Text("direction"))
	assert.Zero(t, spec.Duration("nonsense"))
	assert.Zero(t, spec.Int("delay"))
	assert.Zero(t, spec.Float("delay"))

	byHand := Spec{Kind: "latency"}
	assert.Equal(t, 100*time.Millisecond, byHand.Duration("delay"), "a default")
	assert.Equal(t, "latency", byHand.String())

	unknown := Spec{Kind: "nonsense"}
	assert.Equal(t, "nonsense", unknown.String())
	assert.Zero(t, unknown.Duration("delay"))
	assert.Equal(t, Behaviour{}, unknown.Behaviour())
}

func TestNearest(t *testing.T) {
	known := []string{"latency", "bandwidth", "timeout", "slow_close"}
	for got, want := range map[string]string{"Latency": "latency", "ltaency": "latency", "latenci": "latency", "slow-close": "slow_close",
		"time": "timeout", "timeout_ms": "timeout", "bw": "", "": "", "x": "", "entirely": ""} {
		assert.Equal(t, want, nearest(got, known), got)
	}
	for got, want := range map[string]string{"reset-peer": "reset", "down": "cut", "partition": "blackhole", "delay": "latency", "black_hole": "blackhole",
		"FIN": "accept_close"} {
		assert.Equal(t, want, nearestKind(got), got)
	}
	assert.Equal(t, 1, edits("ab", "ba"), "a swap is one")
	assert.Equal(t, 3, edits("kitten", "sitting"))
}
