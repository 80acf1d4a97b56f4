package faults

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLatencyIsAbsoluteForEachChunk(t *testing.T) {
	f := filter(t, "latency", "1s", Downstream)
	l := onLink(t, f, func(l *fakeLink) {
		l.send("a") // a sleeping filter would bring b at 2s and c at 3s
		elapse(300 * time.Millisecond)
		l.send("b")
		elapse(300 * time.Millisecond)
		l.send("c", "EOF")
		elapse(5 * time.Second)
	})
	assert.Equal(t, []arrival{{"a", 1000 * time.Millisecond}, {"b", 1300 * time.Millisecond}, {"c", 1600 * time.Millisecond},
		{"EOF", 1600 * time.Millisecond}}, l.out)
}

func TestLatencyIsReleasedByTheLift(t *testing.T) {
	f := filter(t, "latency", "1m", Downstream)
	l := onLink(t, f, func(l *fakeLink) {
		l.send("a", "b", "c")
		elapse(time.Second)
		assert.Empty(t, l.passed())
		l.lift()
		assert.Equal(t, "abc", l.text(), "all at once, in order")
	})
	assert.Equal(t, time.Second, l.out[2].at)
}

func TestLatencyStartsAnew(t *testing.T) { // a second turn must not wait for deadlines of the first
	f := filter(t, "latency", "1m", Downstream)
	synctest.Test(t, func(t *testing.T) {
		l := newLink(f)
		l.during(f, func() { l.send("a") })
		assert.Equal(t, []arrival{{"a", 0}}, l.passed())
		l.during(f, func() {
			l.send("b")
			elapse(2 * time.Minute)
		})
		assert.Equal(t, []arrival{{"a", 0}, {"b", time.Minute}}, l.passed())
	})
}

func TestLatencyJitterIsBoundedOrderedAndSeeded(t *testing.T) {
	run := func() []arrival {
		f := filter(t, "latency", map[string]any{"delay": "100ms", "jitter": "90ms"}, Downstream)
		return onLink(t, f, func(l *fakeLink) {
			for i := range 200 { // 5 ms apart, far less than the jitter: without care they would overtake each other
				l.send(fmt.Sprintf("%d,", i))
				elapse(5 * time.Millisecond)
			}
			elapse(time.Second)
		}).out
	}
	first := run()
	require.Len(t, first, 200)
	distinct := map[time.Duration]bool{}
	latest := time.Duration(0)
	for i, a := range first {
		assert.Equal(t, fmt.Sprintf("%d,", i), a.data, "order")
		sent := time.Duration(i) * 5 * time.Millisecond
		assert.GreaterOrEqual(t, a.at, sent+10*time.Millisecond)
		assert.LessOrEqual(t, a.at, sent+190*time.Millisecond)
		assert.GreaterOrEqual(t, a.at, latest)
		latest = a.at
		distinct[a.at-sent] = true
	}
	assert.Greater(t, len(distinct), 100, "it does vary")
	assert.Equal(t, first, run(), "the same seed, the same delays")
}

func TestJitterIsNeverNegativeAndUniform(t *testing.T) {
	l, random := lateness{delay: time.Second, jitter: 3 * time.Second}, seeded()
	zero, n := 0, 20000
	for range n {
		d := l.draw(random)
		assert.GreaterOrEqual(t, d, time.Duration(0))
		assert.LessOrEqual(t, d, 4*time.Second)
		if d == 0 {
			zero++
		}
	}
	assert.InDelta(t, 1.0/3, float64(zero)/float64(n), 0.03, "a third of -2s..4s is below nothing")
	assert.Equal(t, time.Second, lateness{delay: time.Second}.draw(nil), "no jitter, no random number used")
}

func TestBlackholeSwallows(t *testing.T) {
	for _, ending := range []string{"silent", "close"} {
		f := filter(t, "blackhole", ending, Upstream)
		l := onLink(t, f, func(l *fakeLink) {
			l.send("lost")
			elapse(time.Hour)
			l.send("EOF")
		})
		assert.Empty(t, l.out, ending)
		assert.Empty(t, l.ended, "%s: the lift ends connections, not the filter", ending)
	}
}

func TestBlackholeResumes(t *testing.T) {
	f := filter(t, "blackhole", "resume", Downstream)
	l := onLink(t, f, func(l *fakeLink) {
		l.send("late", " but", " whole", "EOF")
		elapse(time.Hour)
		assert.Empty(t, l.passed())
	})
	assert.Equal(t, "late but wholeEOF", l.final())
	assert.Equal(t, time.Hour, l.out[0].at)
}

func TestBlackholeHoldsBoundedMemory(t *testing.T) {
	f := filter(t, "blackhole", "resume", Downstream)
	chunk := strings.Repeat("x", held/4)
	l := onLink(t, f, func(l *fakeLink) {
		l.send(chunk, chunk, chunk, chunk, "more", "EOF")
		elapse(3 * time.Hour)
		assert.Len(t, l.in, 2, "the rest is left to the sender")
		assert.Empty(t, l.passed())
	})
	assert.Equal(t, strings.Repeat(chunk, 4)+"moreEOF", l.final())
}

func TestTimeoutClosesOnceAndCountsFromItsBeginning(t *testing.T) {
	for _, d := range []Direction{Downstream, Upstream} {
		f := filter(t, "timeout", "2s", d)
		l := onLink(t, f, func(l *fakeLink) {
			for range 30 { // Toxiproxy's timer starts anew with each chunk
				l.send("x")
				elapse(100 * time.Millisecond)
			}
			elapse(time.Minute)
		})
		assert.Equal(t, []string{"close"}, l.ended)
		assert.Equal(t, 2*time.Second, l.endsAt)
	}
}

func TestTimeoutLiftedBefore(t *testing.T) {
	for _, limit := range []string{"2s", "0"} {
		f := filter(t, "timeout", limit, Downstream)
		l := onLink(t, f, func(l *fakeLink) {
			l.send("lost", "EOF")
			elapse(time.Second)
		})
		assert.Empty(t, l.out)
		assert.Empty(t, l.ended, "Lift closes them")
	}
}

func TestTimeoutNever(t *testing.T) {
	f := filter(t, "timeout", 0, Downstream)
	l := onLink(t, f, func(l *fakeLink) {
		l.send("lost")
		elapse(48 * time.Hour)
	})
	assert.Empty(t, l.out)
	assert.Empty(t, l.ended)
}

func TestSlowClose(t *testing.T) {
	f := filter(t, "slow_close", "2s", Downstream)
	l := onLink(t, f, func(l *fakeLink) {
		l.send("a", "b")
		elapse(time.Second)
		l.send("c", "EOF")
		elapse(time.Minute)
	})
	assert.Equal(t, []arrival{{"a", 0}, {"b", 0}, {"c", time.Second}, {"EOF", 3 * time.Second}}, l.out)
}

func TestSlowCloseIsReleasedByTheLift(t *testing.T) {
	f := filter(t, "slow_close", "2s", Downstream)
	l := onLink(t, f, func(l *fakeLink) {
		l.send("a", "EOF")
		elapse(time.Second)
		assert.Equal(t, "a", l.text())
	})
	assert.Equal(t, []arrival{{"a", 0}, {"EOF", time.Second}}, l.out)
}

func TestLimitDataPassesExactly(t *testing.T) {
	for limit := range 13 {
		f := filter(t, "limit_data", limit, Downstream)
		l := onLink(t, f, func(l *fakeLink) {
			assert.Empty(t, l.ended, "%d: an idle connection is left alone", limit)
			l.send("abcde", "fghij", "kl")
			elapse(time.Minute)
		})
		assert.Equal(t, "abcdefghijkl"[:limit], l.final(), "%d", limit)
		assert.Equal(t, []string{"close"}, l.ended, "%d", limit)
	}
	assert.Nil(t, filter(t, "limit_data", 3, Upstream))
}

func TestLimitDataLeavesShorterAnswers(t *testing.T) {
	f := filter(t, "limit_data", 13, Downstream)
	l := onLink(t, f, func(l *fakeLink) {
		l.send("abcde", "fghij", "kl", "EOF")
		elapse(time.Minute)
	})
	assert.Equal(t, "abcdefghijklEOF", l.final())
	assert.Empty(t, l.ended)
}

func TestResetAfterBytes(t *testing.T) {
	for limit := 1; limit <= 12; limit++ {
		f := filter(t, "reset", map[string]any{"bytes": limit}, Downstream)
		l := onLink(t, f, func(l *fakeLink) {
			l.send("abcde", "fghij", "kl")
			elapse(time.Minute)
		})
		assert.Equal(t, "abcdefghijkl"[:limit], l.final(), "%d", limit)
		assert.Equal(t, []string{"reset"}, l.ended, "%d", limit)
		assert.Zero(t, l.endsAt, "%d", limit)
	}
	assert.Nil(t, filter(t, "reset", map[string]any{"bytes": 3}, Upstream))
}

func TestResetAfterBytesIsLate(t *testing.T) {
	f := filter(t, "reset", map[string]any{"bytes": 3, "after": "2s"}, Downstream)
	l := onLink(t, f, func(l *fakeLink) {
		l.send("abcde", "f")
		elapse(time.Minute)
	})
	assert.Equal(t, "abc", l.final())
	assert.Equal(t, []string{"reset"}, l.ended)
	assert.Equal(t, 2*time.Second, l.endsAt)
}

func TestResetLiftedBeforeItCameLeavesTheStreamWhole(t *testing.T) {
	for _, limit := range []int{3, 5} {
		f := filter(t, "reset", map[string]any{"bytes": limit, "after": "2s"}, Downstream)
		l := onLink(t, f, func(l *fakeLink) {
			l.send("abcde", "f", "EOF")
			elapse(time.Second)
			assert.Equal(t, "abcde"[:limit], l.text())
		})
		assert.Equal(t, "abcdefEOF", l.final())
		assert.Empty(t, l.ended)
	}
}

func TestBytesAreCountedAnewEachTimeTheFaultComesOn(t *testing.T) {
	f := filter(t, "limit_data", 4, Downstream)
	synctest.Test(t, func(t *testing.T) {
		l := newLink(f)
		l.during(f, func() { l.send("abc") })
		l.during(f, func() { l.send("d") }) // an interruption, not a new beginning
		assert.Equal(t, "abcd", l.text())
		assert.Equal(t, []string{"close"}, l.ended)

		f, l = filter(t, "limit_data", 4, Downstream), newLink(f)
		l.during(f, func() { l.send("abc") })
		elapse(time.Second)
		l.began = time.Now()
		l.during(f, func() { l.send("def") })
		assert.Equal(t, "abcdef", l.text())
		assert.Empty(t, l.ended)
	})
}

func TestFiltersEndWithTheConnection(t *testing.T) {
	for kind, value := range map[string]any{"latency": "1h", "blackhole": "resume", "timeout": "1h", "slow_close": "1h", "limit_data": 1000,
		"reset": map[string]any{"bytes": 2, "after": "1h"}} {
		f := filter(t, kind, value, Downstream)
		l := onLink(t, f, func(l *fakeLink) {
			l.send("abc", "EOF")
			elapse(time.Second)
			close(l.gone) // never lifted: during waits for Run, and the bubble reports whoever is left behind
			synctest.Wait()
		})
		assert.Empty(t, l.ended, kind)
	}
}

func TestSlicerCutsWithTheSeedAndPauses(t *testing.T) {
	text := strings.Repeat("0123456789", 20)
	run := func(params map[string]any) []arrival {
		return onLink(t, filter(t, "slicer", params, Downstream), func(l *fakeLink) {
			l.send(text, "EOF")
			elapse(time.Second)
		}).out
	}
	even := run(map[string]any{"average_size": 50, "delay": "2ms"})
	assert.Equal(t, []arrival{
		{text[:50], 0}, {text[50:100], 2 * time.Millisecond}, {text[100:150], 4 * time.Millisecond}, {text[150:], 6 * time.Millisecond}, {"EOF", 6 * time.Millisecond},
	}, even)
	varied := map[string]any{"average_size": 10, "size_variation": 9, "delay": "1ms"}
	first := run(varied)
	joined, lengths := "", map[int]bool{}
	for _, a := range first[:len(first)-1] {
		assert.LessOrEqual(t, len(a.data), 19)
		joined += a.data
		lengths[len(a.data)] = true
	}
	assert.Equal(t, text, joined)
	assert.Greater(t, len(lengths), 3, "it does vary")
	assert.Equal(t, first, run(varied), "the same seed, the same cuts")
}

func TestSlicerLiftedInTheMiddleLosesNothing(t *testing.T) {
	l := onLink(t, filter(t, "slicer", map[string]any{"average_size": 1, "delay": "1s"}, Downstream), func(l *fakeLink) {
		l.send("abc")
		elapse(1500 * time.Millisecond)
		l.lift()
		assert.Equal(t, "abc", l.text())
	})
	assert.Len(t, l.out, 3)
}

// TestBandwidthIsExact: whatever the sizes of the chunks, the last byte comes when a line of that rate has sent them all, and none before its time.
func TestBandwidthIsExact(t *testing.T) {
	for _, rate := range []int{1, 10, 1000, 100_000} {
		f := filter(t, "bandwidth", rate, Downstream)
		total := 0
		l := onLink(t, f, func(l *fakeLink) {
			for _, n := range []int{1, 999, 32 << 10, 7, 1000} {
				l.send(strings.Repeat("x", n))
				total += n
			}
			elapse(time.Hour)
		})
		sent := 0
		for _, a := range l.out {
			sent += len(a.data)
			takes := time.Duration(float64(sent) / float64(rate*1000) * float64(time.Second))
			assert.InDelta(t, takes.Seconds(), a.at.Seconds(), 1e-6, "%d KB/s: byte %d", rate, sent)
		}
		assert.Equal(t, total, sent)
	}
}

// TestBandwidthGivesNoCredit: what was not sent while nothing came is lost, as on a real line.
func TestBandwidthGivesNoCredit(t *testing.T) {
	f := filter(t, "bandwidth", 1, Downstream)
	l := onLink(t, f, func(l *fakeLink) {
		elapse(time.Minute)
		l.send("0123456789")
		elapse(time.Minute)
	})
	assert.Equal(t, time.Minute+10*time.Millisecond, l.out[len(l.out)-1].at)
}
