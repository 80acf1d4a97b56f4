package contracts

// eachAsk is how many attempts on a dependency one request of chaos to the service explains: of whoever needs it once or twice for an answer, through
// a driver that tries again at once.
const eachAsk = 4

// caused returns how many of the attempts at ev[at...], in order, the service may have made only because chaos asked something of it meanwhile: under
// and begun name the figures of the requests that count.
func (t *trace) caused(at []int, under, begun string) int {
	n, first, last := 0, -1, -1
	for _, i := range at {
		if t.ev[i].Count[under] > 0 {
			n++
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if n == 0 {
		return 0
	}
	asks := t.ev[last].Count[begun] - t.ev[first].Count[begun] + t.ev[first].Count[under]
	return min(n, eachAsk*max(1, int(asks)))
}

// byAnything counts the ready probe too, which asks so often that no attempt that came while it did is certainly the service's own.
func (t *trace) byAnything(at []int) int { return t.caused(at, "asking", "asked") }

// byProofs counts proofs and load only.
func (t *trace) byProofs(at []int) int { return t.caused(at, "proving", "proved") }

// ownRate returns the largest number of attempts within any one second that are certainly the service's own, and the first and the last of them.
func (t *trace) ownRate(at []int) (most int, during []int) {
	first := 0
	for i := range at {
		for t.ms(at[i])-t.ms(at[first]) >= 1000 {
			first++
		}
		window := at[first : i+1]
		if n := len(window) - t.byAnything(window); n > most {
			most, during = n, window
		}
	}
	return most, during
}

// attempted is one series' attempts as positions of events.
func (s series) attempted() []int {
	at := make([]int, len(s.tries))
	for i, a := range s.tries {
		at[i] = a.at
	}
	return at
}

// ownSeries returns those of the series that the service made by itself, and whether a longer one was left out: of more than half of its attempts nobody
// can say whether they were retries or what proofs and load asked for.
func (t *trace) ownSeries(all []manner) (own []manner, doubtful *manner) {
	longest := 0
	for _, m := range all {
		if 2*t.byProofs(m.attempted()) <= len(m.tries) {
			own = append(own, m)
			longest = max(longest, len(m.tries))
		}
	}
	for i, m := range all {
		if len(m.tries) > max(1, longest) {
			longest, doubtful = len(m.tries), &all[i]
		}
	}
	return own, doubtful
}
