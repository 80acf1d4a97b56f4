package experiments

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNearest(t *testing.T) {
	fields := []string{"on", "fault", "during", "from", "until", "after", "for", "connections", "toxicity"}
	for got, want := range map[string]string{
		"durring": "during", "dur": "during", "DURING": "during", "connection": "connections", "untill": "until", "form": "from",
		"toxicty": "toxicity", "xyzzy": "", "": "", "o": "", "frmo": "from", "on ": "on",
	} {
		require.Equal(t, want, nearest(got, fields), got)
	}
	require.Equal(t, "fail_fast", nearest("failfast", builtinExpectations))
	require.Equal(t, "fail_fast", nearest("fail-fast", builtinExpectations))
	require.Equal(t, "success_threshold", nearest("successThreshold", []string{"success_threshold", "failure_threshold"}))
	require.Empty(t, nearest("x", nil))
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"during", "durring", 1}, {"abc", "abc", 0}} {
		require.Equal(t, c.want, distance(c.a, c.b), c.a+" "+c.b)
		require.Equal(t, c.want, distance(c.b, c.a), c.b+" "+c.a)
	}
}
