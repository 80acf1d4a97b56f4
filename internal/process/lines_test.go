package process

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func split(pieces ...string) []string {
	var lines []string
	s := splitter{deliver: func(l string) { lines = append(lines, l) }}
	for _, p := range pieces {
		s.feed([]byte(p))
	}
	s.flush()
	return lines
}

func TestSplitter(t *testing.T) {
	full := strings.Repeat("x", MaxLine)
	tests := []struct {
		name   string
		pieces []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"whole", []string{"a\nb\n"}, []string{"a", "b"}},
		{"pieces", []string{"a", "b\nc", "", "d"}, []string{"ab", "cd"}},
		{"empty lines", []string{"\n\n"}, []string{"", ""}},
		{"crlf", []string{"a\r\nb\r", "\nc\r"}, []string{"a", "b", "c"}},
		{"just fits", []string{full + "\nb"}, []string{full, "b"}},
		{"just fits in pieces", []string{full, "\nb"}, []string{full, "b"}},
		{"cut", []string{full + "y\nb\n"}, []string{full + LineCut, "b"}},
		{"cut in pieces", []string{full, "y", "z\nb"}, []string{full + LineCut, "b"}},
		{"cut at the end", []string{full + "yyy"}, []string{full + LineCut}},
		{"cut twice", []string{full + "y\n" + full + "y\nb"}, []string{full + LineCut, full + LineCut, "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, split(tt.pieces...))
		})
	}
}

// However a text is cut into pieces, its lines are the same.
func TestSplitterIgnoresHowTheBytesArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab\n\r"))).Draw(t, "text")
		cuts := rapid.SliceOf(rapid.IntRange(0, len(text))).Draw(t, "cuts")
		var pieces []string
		rest := text
		for _, c := range cuts {
			c = min(c, len(rest))
			pieces = append(pieces, rest[:c])
			rest = rest[c:]
		}
		assert.Equal(t, split(text), split(append(pieces, rest)...))
	})
}
