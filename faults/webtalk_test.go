package faults

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Help for the tests of the faults that speak HTTP and what is built on it.

// outcome is what a conversation made of a script.
type outcome struct {
	up, down string // what reached the dependency, and the service
	closed   string
	bites    []string
}

var dates = regexp.MustCompile(`Date: [^\r]*\r\n`)

// asks and tells are chunks of a script: from the service, and from the dependency. An empty one is the end of that direction.
func asks(text string) heardLine  { return line(Upstream, text) }
func tells(text string) heardLine { return line(Downstream, text) }

func line(d Direction, text string) heardLine {
	if text == "" {
		return heardLine{d: d}
	}
	return heardLine{d, []byte(text)}
}

// conversation makes one of a fault, for a connection seen from its beginning or not.
func conversation(t testing.TB, kind string, value any, whole bool) Conversation {
	t.Helper()
	spec, problems := Parse(kind, value)
	require.Empty(t, problems)
	return spec.Behaviour().Converse(seeded(), whole)
}

// plays shows the first lines of a script as a Witness sees them and then runs the conversation over the others.
func plays(c Conversation, seen, script []heardLine) outcome {
	talk := &fakeTalk{}
	for _, l := range seen {
		c.(Witness).Sees(l.d, l.data)
		talk.passed[l.d] = append(talk.passed[l.d], l.data...)
	}
	for _, l := range script {
		talk.script = append(talk.script, heardLine{l.d, slices.Clone(l.data)})
	}
	c.Run(talk)
	return outcome{string(talk.passed[Upstream]), dates.ReplaceAllString(string(talk.passed[Downstream]), "Date: D\r\n"), talk.closed, talk.bites}
}

// splits holds what a fault makes of a script against want, however the script is cut into chunks: whole, at each byte, and byte by byte.
func splits(t *testing.T, kind string, value any, script []heardLine, want outcome) {
	t.Helper()
	run := func(script []heardLine) outcome { return plays(conversation(t, kind, value, true), nil, script) }
	require.Equal(t, want, run(script))
	var bytewise []heardLine
	for i, l := range script {
		for at := 1; at < len(l.data); at++ {
			cut := append(slices.Clone(script[:i]), heardLine{l.d, l.data[:at]}, heardLine{l.d, l.data[at:]})
			if !assert.Equal(t, want, run(append(cut, script[i+1:]...)), "line %d cut at %d", i, at) {
				return
			}
		}
		if l.data == nil {
			bytewise = append(bytewise, l)
		}
		for at := range l.data {
			bytewise = append(bytewise, heardLine{l.d, l.data[at : at+1]})
		}
	}
	assert.Equal(t, want, run(bytewise), "byte by byte")
}
