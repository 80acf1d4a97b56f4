package traffic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Load says how much is sent and when. Either Users or Rate is set, or neither where there is only a stampede.
type Load struct {
	Users     int           // each begins a request every Pace, whether or not the last one was answered
	Pace      time.Duration // of a user; only with Users
	Rate      float64       // requests per second
	Poisson   bool          // gaps of chance with the same mean, instead of even ones
	Stampede  int           // requests that are all sent at the instant of the claim
	For       time.Duration // how long requests go on after the claim
	FromStart bool          // they begin with the service, not with its claim to be ready
	Seed      uint64        // decides every random choice
}

// PerSecond is the mean rate; 0 where there is only a stampede.
func (l Load) PerSecond() float64 {
	if l.Users > 0 && l.Pace > 0 {
		return float64(l.Users) / l.Pace.Seconds()
	}
	return l.Rate
}

// String words the load: "10 users for 5s from ready".
func (l Load) String() string {
	var parts []string
	switch {
	case l.Users > 0:
		parts = append(parts, fmt.Sprintf("%d users, each every %s,", l.Users, l.Pace))
	case l.Rate > 0:
		parts = append(parts, fmt.Sprintf("%g requests a second", l.Rate))
	}
	if len(parts) > 0 {
		from := "ready"
		if l.FromStart {
			from = "the start, and on after ready"
		}
		parts = []string{fmt.Sprintf("%s for %s from %s", parts[0], l.For, from)}
	}
	if l.Stampede > 0 {
		parts = append(parts, fmt.Sprintf("a stampede of %d", l.Stampede))
	}
	return strings.Join(parts, ", and ")
}

// Arrivals are the intended moments of the requests of a load. It is for one goroutine.
type Arrivals struct{ next func() (time.Duration, bool) }

// Next returns the next moment, as an offset from the beginning of the load; the first is 0 and none is before the last. It has no end: the
// caller knows when the load is over. Without a rate there is no moment at all, and ok is false.
func (a *Arrivals) Next() (at time.Duration, ok bool) { return a.next() }

// Arrivals returns the moments of the load, without its stampede. The same load always has the same ones.
func (l Load) Arrivals() *Arrivals {
	rate := l.PerSecond()
	switch {
	case rate <= 0:
		return &Arrivals{next: func() (time.Duration, bool) { return 0, false }}
	case l.Poisson:
		return poisson(rate, chance(l.Seed, "arrivals"))
	case l.Users > 0:
		return paced(l.Users, l.Pace, chance(l.Seed, "arrivals"))
	}
	return even(rate)
}

// even sends at the same distance. Each moment is counted from the beginning, so that no error adds up.
func even(rate float64) *Arrivals {
	n := 0.0
	return &Arrivals{next: func() (time.Duration, bool) {
		at := time.Duration(n * float64(time.Second) / rate)
		n++
		return at, true
	}}
}

func poisson(rate float64, r *rand.Rand) *Arrivals {
	at := 0.0
	return &Arrivals{next: func() (time.Duration, bool) {
		now := time.Duration(at)
		at += r.ExpFloat64() * float64(time.Second) / rate
		return now, true
	}}
}

// paced gives each user a place of its own within the pace, and every pace again.
func paced(users int, pace time.Duration, r *rand.Rand) *Arrivals {
	places := make([]time.Duration, users)
	for i := range places {
		places[i] = time.Duration(r.Int64N(int64(pace)))
	}
	slices.Sort(places)
	first := places[0]
	i, round := 0, time.Duration(0)
	return &Arrivals{next: func() (time.Duration, bool) {
		at := round + places[i] - first
		if i++; i == users {
			i, round = 0, round+pace
		}
		return at, true
	}}
}

// Mix chooses the kind of each request, by weight. It is for one goroutine.
type Mix struct {
	upTo []int // sums of the weights
	r    *rand.Rand
}

// NewMix returns the choices of a seed for one purpose: the same two always choose the same. Weights are positive.
func NewMix(weights []int, seed uint64, purpose string) *Mix {
	m := &Mix{r: chance(seed, purpose)}
	sum := 0
	for _, w := range weights {
		sum += max(1, w)
		m.upTo = append(m.upTo, sum)
	}
	return m
}

// Next returns the index of the chosen kind.
func (m *Mix) Next() int {
	n := m.r.IntN(m.upTo[len(m.upTo)-1])
	i, _ := slices.BinarySearch(m.upTo, n+1)
	return i
}

// chance is a source of its own for each purpose, so that one draws nothing from another.
func chance(seed uint64, purpose string) *rand.Rand {
	mixed := uint64(14695981039346656037) // FNV-1a
	for _, c := range []byte(purpose) {
		mixed = (mixed ^ uint64(c)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, mixed)) // #nosec G404 -- it must be the same again, not secret
}
