package contracts

import (
	"fmt"
	"math"
	"strings"
)

// Retries is how a dependency was tried again while a fault kept attempts from succeeding: the longest series of attempts that failed one
// after the other. Times are ms.
type Retries struct {
	Attempts      int       `json:"attempts"`           // that failed in this series
	Series        int       `json:"series"`             // how many series there were
	FromMS        float64   `json:"from_ms"`            // its first attempt, since exec
	LastedMS      float64   `json:"lasted_ms"`          // from its first to its last attempt
	PausesMS      []float64 `json:"pauses_ms"`          // from the end of an attempt to the beginning of the next; at most the first 50
	Growth        string    `json:"growth"`             // constant, linear, exponential, growing, unclear or too_few
	Factor        float64   `json:"factor,omitempty"`   // by which pauses grow
	StepMS        float64   `json:"step_ms,omitempty"`  // by which they grow, if linear
	CapMS         float64   `json:"cap_ms,omitempty"`   // the longest they become; 0: no end of the growth was seen
	Jitter        string    `json:"jitter"`             // yes, no or unclear
	Spread        float64   `json:"spread,omitempty"`   // typical distance of a pause from that development, as a share
	Amplification float64   `json:"amplification"`      // attempts for each intended one
	Parallel      *int      `json:"parallel,omitempty"` // under way together; nil: attempts that last no time do not show it
	End           string    `json:"end"`                // succeeded, gave_up or cut_short (by the end of observation)
	Text          string    `json:"text"`               // all of that in words
}

// The ways in which a series ends.
const (
	endSucceeded = "succeeded"
	endGaveUp    = "gave_up"
	endCutShort  = "cut_short"
)

const shownPauses = 50

// manner is a series measured.
type manner struct {
	series
	rounds    []round
	pauses    []float64
	shape     shape
	certain   int // attempts that were under way together
	together  int // ... or may have been
	most      int // attempts of the largest round
	end       string
	endedByMS float64 // when it was known to be over
}

func (t *trace) measure(dep string, s series) manner {
	m := manner{series: s, rounds: s.rounds(), most: 1}
	m.pauses = pausesOf(m.rounds, s.succeeded)
	m.shape = shapeOf(m.pauses)
	m.certain, m.together = s.parallel(t, dep)
	for _, r := range m.rounds {
		m.most = max(m.most, len(r.tries))
	}
	m.end, m.endedByMS = endCutShort, t.endMS()
	longest := 0.0
	for _, p := range m.pauses {
		longest = max(longest, p)
	}
	switch exit := s.run.exit; {
	case s.succeeded > 0:
		m.end, m.endedByMS = endSucceeded, s.succeeded
	case exit >= 0:
		m.end, m.endedByMS = endGaveUp, t.ms(exit)
	case t.endMS()-s.last() > 3*longest+2000 && m.tries[len(m.tries)-1].over:
		m.end = endGaveUp // nobody tries any more, although the last attempt is over
	}
	return m
}

// amplification is how many attempts are made for each intended one.
func (m manner) amplification() float64 {
	return float64(len(m.tries)) / float64(max(1, len(m.rounds)))
}

// mannersIn returns the series of one incarnation, measured, and a longer one that is left out: see ownSeries.
func (t *trace) mannersIn(dep string, r run) (own []manner, doubtful *manner) {
	var all []manner
	for _, s := range t.seriesOf(dep, r) {
		all = append(all, t.measure(dep, s))
	}
	return t.ownSeries(all)
}

func longestOf(all []manner) (best manner) {
	for _, m := range all {
		if len(m.tries) > len(best.tries) {
			best = m
		}
	}
	return best
}

// retries is the part of the figures about repeated attempts.
func (t *trace) retries(dep string) *Retries {
	var all []manner
	for _, r := range t.runs {
		own, _ := t.mannersIn(dep, r)
		all = append(all, own...)
	}
	m := longestOf(all)
	if len(m.tries) == 0 || len(m.tries) == 1 && m.succeeded == 0 {
		return nil
	}
	r := &Retries{
		Attempts: len(m.tries), Series: len(all), FromMS: m.first(), LastedMS: round3(m.last() - m.first()), PausesMS: []float64{},
		Growth: string(m.shape.growth), Factor: round3(m.shape.factor), StepMS: round3(m.shape.step), CapMS: round3(m.shape.cap),
		Jitter: m.shape.jitter, Spread: round3(m.shape.spread), Amplification: round3(m.amplification()), End: m.end, Text: m.words(),
	}
	for _, p := range m.pauses[:min(len(m.pauses), shownPauses)] {
		r.PausesMS = append(r.PausesMS, round3(p))
	}
	if m.together == m.certain {
		r.Parallel = &m.certain
	}
	return r
}

func round3(v float64) float64 { return math.Round(v*1000) / 1000 }

// words says all that was measured: "6 failed attempts in 3.1s; pauses of 103ms, 211ms, ...: exponential, x2 a step, jitter 9 %; gave up".
func (m manner) words() string {
	parts := []string{plural(len(m.tries), "failed attempt") + " in " + Millis(m.last()-m.first())}
	if len(m.pauses) > 0 {
		parts = append(parts, m.pauseWords()+": "+m.shape.words())
	}
	if m.most > 1 {
		parts = append(parts, trim(m.amplification(), 1)+" for each intended one")
	}
	switch {
	case m.certain > 1:
		parts = append(parts, fmt.Sprintf("%d at a time", m.certain))
	case m.together > 1:
		parts = append(parts, fmt.Sprintf("up to %d within %d ms", m.together, momentMS))
	}
	switch m.end {
	case endSucceeded:
		parts = append(parts, "then one succeeded")
	case endGaveUp:
		parts = append(parts, "then it gave up")
	}
	return strings.Join(parts, "; ")
}

func (m manner) pauseWords() string {
	var shown []string
	for _, p := range m.pauses[:min(len(m.pauses), 8)] {
		shown = append(shown, Millis(p))
	}
	text := strings.Join(shown, ", ")
	if more := len(m.pauses) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if len(m.pauses) == 1 {
		return "a pause of " + text
	}
	return "pauses of " + text
}

func (s shape) words() string {
	var text string
	switch s.growth {
	case tooFew:
		return "too few to tell how they develop"
	case constant:
		text = "they do not grow (about " + Millis(s.median) + ")"
	case linear:
		text = "they grow by " + Millis(s.step) + " a step"
	case exponential:
		text = "they grow exponentially, about x" + trim(s.factor, 2) + " a step"
	case growing:
		text = "they grow, about x" + trim(s.factor, 2) + " a step"
	default:
		text = "whether they grow is unclear"
	}
	if s.cap > 0 && s.growth != constant {
		text += " up to " + Millis(s.cap)
	}
	switch s.jitter {
	case jitterYes:
		text += fmt.Sprintf(", with jitter of about %.0f %%", 100*s.spread)
	case jitterNo:
		text += ", without jitter"
	}
	return text
}
