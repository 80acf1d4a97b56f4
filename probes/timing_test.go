package probes

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

func TestTimingDefaults(t *testing.T) {
	d := func(d time.Duration) timeline.Duration { return timeline.Duration(d) }
	for name, c := range map[string]struct {
		spec Spec
		want Timing
	}{
		"plain":            {Spec{TCP: &TCP{}}, Timing{0, time.Second, 50 * time.Millisecond, 0, 1, 1}},
		"websocket":        {Spec{WebSocket: &WebSocket{}}, Timing{0, 5 * time.Second, 50 * time.Millisecond, 0, 1, 1}},
		"websocket within": {Spec{WebSocket: &WebSocket{Within: d(3 * time.Second)}}, Timing{0, 3 * time.Second, 50 * time.Millisecond, 0, 1, 1}},
		"exec":             {Spec{Exec: &Exec{}}, Timing{0, 5 * time.Second, 50 * time.Millisecond, 0, 1, 1}},
		"within":           {Spec{TCP: &TCP{}, Within: d(time.Minute)}, Timing{0, 5 * time.Second, 50 * time.Millisecond, time.Minute, 1, 1}},
		"parallel":         {Spec{TCP: &TCP{}, Parallel: 2}, Timing{0, 5 * time.Second, 50 * time.Millisecond, 0, 1, 1}},
		"jwt":              {Spec{JWT: &JWT{}}, Timing{0, 5 * time.Second, 50 * time.Millisecond, 0, 1, 1}},
		"all": {Spec{TCP: &TCP{}, InitialDelay: d(1), Timeout: d(2), Interval: d(3), Within: d(4), SuccessThreshold: 5, FailureThreshold: 6},
			Timing{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, c.spec.Timing()) })
	}
}

// scripted is a probe that answers by a script (its last letter goes on for ever) and notes when it was asked.
type scripted struct {
	script string
	start  time.Time
	asked  []time.Duration
}

func (s *scripted) probe(ctx context.Context) (Answer, error) {
	if s.start.IsZero() {
		s.start = time.Now()
	}
	n := min(len(s.asked), len(s.script)-1)
	s.asked = append(s.asked, time.Since(s.start))
	switch s.script[n] {
	case '+':
		return Answer{Body: "yes"}, nil
	case 'h': // hangs until its context ends
		<-ctx.Done()
		return Answer{}, unanswered(ctx, "x", "y", ctx.Err())
	default:
		return Answer{Body: "no"}, errors.New("no")
	}
}

func TestPoll(t *testing.T) {
	ms := func(values ...int) []time.Duration {
		var all []time.Duration
		for _, v := range values {
			all = append(all, time.Duration(v)*time.Millisecond)
		}
		return all
	}
	second := time.Second
	for name, c := range map[string]struct {
		script string
		timing Timing
		asked  []time.Duration
		err    string
	}{
		"holds at once":                   {"+", Timing{}, ms(0), ""},
		"one attempt without within":      {"-", Timing{Interval: second}, ms(0), "no"},
		"the pause grows to interval":     {"------+", Timing{Interval: ms(50)[0], Within: second}, ms(0, 10, 30, 70, 120, 170, 220), ""},
		"a short interval from the start": {"---+", Timing{Interval: ms(5)[0], Within: second}, ms(0, 5, 10, 15), ""},
		"successes are interval apart":    {"-++", Timing{Interval: second, Within: 9 * second, SuccessThreshold: 2}, ms(0, 10, 1010), ""},
		"a failure starts the row again":  {"+-++", Timing{Interval: ms(20)[0], Within: second, SuccessThreshold: 2}, ms(0, 20, 30, 50), ""},
		"failures in a row":               {"--+", Timing{Interval: ms(20)[0], FailureThreshold: 3}, ms(0, 10, 30), ""},
		"too many failures in a row": {"-", Timing{Interval: ms(20)[0], FailureThreshold: 3}, ms(0, 10, 30),
			"not once in 3 attempts: no"},
		"within is over": {"-", Timing{Interval: ms(40)[0], Within: ms(100)[0]}, ms(0, 10, 30, 70),
			"not once within 100ms (4 attempts): no"},
		"the cut attempt does not hide the telling one": {"-h", Timing{Interval: ms(40)[0], Within: ms(100)[0]}, ms(0, 10),
			"not once within 100ms (2 attempts): no"},
		"only a cut attempt": {"h", Timing{Interval: ms(40)[0], Within: ms(100)[0]}, ms(0),
			"not once within 100ms (1 attempt): x: expected y, got no answer within 100ms"},
		"never often enough": {"+-+-", Timing{Interval: ms(30)[0], Within: ms(35)[0], SuccessThreshold: 2}, ms(0, 30),
			"not 2 times in a row within 35ms (2 attempts): no"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{script: c.script}
				var told []int
				_, err := Poll(t.Context(), s.probe, c.timing, func(n int, _ Answer, _ error) { told = append(told, n) })
				assert.Equal(t, c.asked, s.asked)
				assert.Len(t, told, len(s.asked))
				assert.Equal(t, len(s.asked), told[len(told)-1])
				if c.err == "" {
					assert.NoError(t, err)
				} else {
					assert.EqualError(t, err, c.err)
				}
			})
		})
	}
}

func TestPollEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Millisecond)
		defer cancel()
		s := &scripted{script: "-"}
		_, err := Poll(ctx, s.probe, Timing{Interval: time.Second, Within: time.Hour}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "stopped after 2 attempts: no")
	})
}

// Neither threshold is ever reached: that must end, too.
func TestPollOfAnUndecidedProbeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flips := 0
		flip := func(context.Context) (Answer, error) {
			if flips++; flips%2 == 0 {
				return Answer{}, errors.New("even")
			}
			return Answer{}, nil
		}
		_, err := Poll(t.Context(), flip, Timing{Interval: time.Second, SuccessThreshold: 2, FailureThreshold: 2}, nil)
		require.ErrorContains(t, err, "not 2 times in a row in 80 attempts: even")
	})
}
