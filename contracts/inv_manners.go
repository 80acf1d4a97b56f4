package contracts

import (
	"fmt"
	"slices"
)

// beforeAccept are the faults that meet a connection before any proxy could see it, where connects are not intercepted.
var beforeAccept = map[string]bool{"refuse": true, "cut": true, "hang": true, "flap": true, "dns": true}

// unseen reports whether attempts on dep failed where nobody could see them.
func (t *trace) unseen(dep string) bool {
	if t.figures()[dep].Attempts != nil {
		return false
	}
	for _, r := range t.runs {
		if _, complete := t.attempts(dep, r); complete {
			return false
		}
	}
	return slices.ContainsFunc(t.spec.Faults, func(f Fault) bool { return f.On == dep && beforeAccept[f.Kind] })
}

// retryCheck checks one rule about the manner of retries on what was measured.
type retryCheck struct {
	*trace
	rule, dep, who string
	limits         Retry
	all            []manner
	longest        manner
}

// mannersOf checks how attempts on dep were repeated in one incarnation.
func (t *trace) mannersOf(rule string, limits Retry, dep string, r int) finding {
	who := ""
	if len(t.runs) > 1 {
		who = fmt.Sprintf(" in start %d", r+1)
	}
	if t.unseen(dep) {
		return t.undecided(rule, countElsewhere, nil,
			"attempts on %s that are refused by the kernel can't be seen without the connect interceptor: how they are repeated is not known", dep)
	}
	c := retryCheck{trace: t, rule: rule, dep: dep, who: who, limits: limits}
	var out []finding
	var doubtful *manner
	if c.all, doubtful = t.mannersIn(dep, t.runs[r]); doubtful != nil {
		out = append(out, t.undecided(rule, ownRequests, doubtful.evidence(),
			"%s on %s%s were made while proofs or load asked something of it: nobody can say whether they are retries", plural(len(doubtful.tries), "attempt"), dep, who))
	}
	if t.truncated(dep) {
		out = append(out, t.undecided(rule, fewerAttempts, []int{t.figuresAt(dep)}, "only the first of its attempts on %s are told one by one", dep))
	}
	c.longest = longestOf(c.all)
	again := t.deniedAgain(dep, t.runs[r])
	if len(again) > max(1, len(c.longest.tries)) {
		out = append(out, t.undecided(rule, ownRequests, again[:min(len(again), 6)],
			"its requests on %s were turned down %s on open connections%s: how they are repeated is not measured there", dep, times(len(again)), who))
	}
	switch n := len(c.longest.tries); {
	case n <= 1 && len(out) > 0:
		return merge(out...)
	case n == 0:
		return t.notes(rule, "not applicable%s: no attempt on %s failed", who, dep)
	case n == 1 && c.longest.succeeded == 0 && c.longest.end == endGaveUp:
		return t.notes(rule, "not applicable%s: the attempt on %s that failed was not repeated", who, dep)
	}
	checks := []struct {
		wanted bool
		check  func() finding
	}{
		{limits.Backoff != "", c.backoff}, {limits.Jitter, c.jitter}, {limits.MaxParallel > 0, c.parallel},
		{limits.MaxAmplification > 0, c.amplification}, {limits.GiveUpWithin > 0, c.givesUp},
	}
	for _, k := range checks {
		if k.wanted {
			out = append(out, k.check())
		}
	}
	return merge(out...)
}

// evidence is the first attempts of a series, and its last.
func (m manner) evidence() []int {
	var at []int
	for _, a := range m.tries[:min(len(m.tries), 6)] {
		at = append(at, a.at)
	}
	return at
}

// tooLittle says that what was seen does not show what is asked. Whoever gave up by itself after so few attempts did no harm; whoever was
// not watched long enough may have.
func (c retryCheck) tooLittle(what string) finding {
	m := c.longest
	if m.end == endGaveUp && m.shape.growth == tooFew || m.end == endGaveUp && len(m.pauses) < 7 {
		return c.notes(c.rule, "not applicable%s: %s was tried too few times to tell %s: %s", c.who, c.dep, what, m.words())
	}
	return c.undecided(c.rule, "let the fault last longer, so that it is tried more often", m.evidence(),
		"%s can't be told from the attempts on %s%s: %s", what, c.dep, c.who, m.words())
}

func (c retryCheck) backoff() finding {
	m := c.longest
	wrong := c.limits.Backoff == BackoffExponential && m.shape.growth == linear
	switch g := m.shape.growth; {
	case g == constant || wrong:
		return c.violates(c.rule, "wait longer after each failure, by a factor: 100ms, 200ms, 400ms, ..., up to a limit", m.evidence(),
			"its retries on %s%s do not back off (%s is asked for): %s", c.dep, c.who, c.limits.Backoff, m.words())
	case g == growing && c.limits.Backoff == BackoffExponential:
		return c.holds(c.rule, nil, "its retries on %s back off, by a factor or by a time, which these do not tell apart: %s", c.dep, m.words())
	case g == tooFew || g == unclear:
		return c.tooLittle("whether its pauses grow")
	}
	return c.holds(c.rule, nil, "its retries on %s back off: %s", c.dep, m.words())
}

func (c retryCheck) jitter() finding {
	m := c.longest
	switch m.shape.jitter {
	case jitterNo:
		return c.violates(c.rule, "draw each pause at random, from a wide range: instances that fail together must not come back together", m.evidence(),
			"its retries on %s%s have no jitter: %s", c.dep, c.who, m.words())
	case jitterYes:
		return c.holds(c.rule, nil, "its retries on %s vary by about %.0f %%", c.dep, 100*m.shape.spread)
	}
	return c.tooLittle("jitter")
}

func (c retryCheck) parallel() finding {
	worst := c.longest
	for _, m := range c.all {
		if m.certain > worst.certain || m.certain == worst.certain && m.together > worst.together {
			worst = m
		}
	}
	switch limit := c.limits.MaxParallel; {
	case worst.certain > limit:
		return c.violates(c.rule, "let one attempt at a time try for all who wait", worst.evidence(),
			"it made %d attempts on %s at the same time%s (at most %d): %s", worst.certain, c.dep, c.who, limit, worst.words())
	case worst.together > limit:
		return c.undecided(c.rule, "take a fault under which attempts last: blackhole", worst.evidence(),
			"it made %d attempts on %s%s within %d ms, which lasted no time: whether more than %d were under way together can't be seen", worst.together,
			c.dep, c.who, momentMS, limit)
	}
	return c.holds(c.rule, nil, "at most %d of its attempts on %s were under way together", worst.certain, c.dep)
}

func (c retryCheck) amplification() finding {
	worst := c.longest
	for _, m := range c.all {
		if m.amplification() > worst.amplification() {
			worst = m
		}
	}
	switch a := worst.amplification(); {
	case len(worst.rounds) > 1 && a > c.limits.MaxAmplification:
		return c.violates(c.rule, "retry in one place only, and with one worker", worst.evidence(),
			"each retry on %s%s is made %s times over (at most %s): %s", c.dep, c.who, trim(a, 1), trim(c.limits.MaxAmplification, 1), worst.words())
	case len(worst.tries) < 8 && worst.most == 1 || len(worst.rounds) == 1 && worst.most > 1:
		return c.tooLittle("amplification")
	}
	return c.holds(c.rule, nil, "%s attempts on %s for each intended one", trim(worst.amplification(), 1), c.dep)
}

func (c retryCheck) givesUp() finding {
	limit := c.limits.GiveUpWithin.MS()
	m := c.longest
	for _, other := range c.all {
		if other.last()-other.first() > m.last()-m.first() {
			m = other
		}
	}
	tried := m.last() - m.first()
	switch {
	case tried > limit+slackMS:
		return c.violates(c.rule, "end the retries, and say why", []int{m.tries[0].at, m.tries[len(m.tries)-1].at},
			"it still tried %s%s %s after its first attempt had failed (it must give up within %s): %s", c.dep, c.who, Millis(tried), c.limits.GiveUpWithin, m.words())
	case m.end == endGaveUp:
		return c.holds(c.rule, nil, "it gave up trying %s %s after its first attempt had failed", c.dep, Millis(tried))
	case m.end == endSucceeded:
		return c.notes(c.rule, "not applicable%s: %s came back %s after the first attempt had failed, before it had to give up", c.who, c.dep, Millis(m.succeeded-m.first()))
	case c.endMS()-m.first() > limit+max(limit, 2000):
		return c.holds(c.rule, nil, "it stopped trying %s %s after its first attempt had failed", c.dep, Millis(tried))
	}
	return c.undecided(c.rule, "let the fault last longer than "+c.limits.GiveUpWithin.String()+", and raise service.budget", m.evidence(),
		"it tried %s%s for %s and was not watched for longer: whether it gives up within %s is not known", c.dep, c.who, Millis(tried), c.limits.GiveUpWithin)
}
