package runner

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/timeline"
)

// How many log lines a timeline keeps: the first, the last, and those that a contract or invariant looks for. The log file
// in the trial's folder has them all.
const (
	keepFirst   = 150
	keepLast    = 60
	keepMatched = 100 // by each of them
	keepText    = 1000
	maxLogFile  = 64 << 20
)

// logKeeper turns log lines into events without ever holding more than a bounded number of them.
type logKeeper struct {
	wanted  []*wanted
	secrets []*secret
	seen    int
	starts  int       // of the service
	from    int       // the first recorded event of the present incarnation
	since   time.Time // when it was started
	last    []heldLine
	dropped int
	add     func(time.Time, timeline.Event)
	mask    func(string) string
}

// wanted is an expression that a contract, an invariant or a proof looks for. Each has its own bound: the line that must never come
// is kept however often another one came.
type wanted struct {
	*regexp.Regexp
	met int
}

// heldLine is a line that may still be dropped.
type heldLine struct {
	at     time.Time
	stream string
	raw    string
}

// newLogKeeper keeps every line that one of the expressions of the trial's expectation or invariants matches.
func newLogKeeper(t experiments.Trial, s contracts.Spec, add func(time.Time, timeline.Event), mask func(string) string) (*logKeeper, error) {
	k := &logKeeper{add: add, mask: mask}
	for _, text := range slices.Concat(expectedLogs(s.Expect), s.Invariants.LogNever, probedLogs(t)) {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("compile %q: %w", text, err)
		}
		k.wanted = append(k.wanted, &wanted{Regexp: re})
	}
	return k, nil
}

// probedLogs are the lines that the readiness proofs look for.
func probedLogs(t experiments.Trial) []string {
	var out []string
	for _, p := range t.Readiness {
		for s := &p.Spec; s != nil; s = s.Then {
			if s.Log != "" {
				out = append(out, s.Log)
			}
		}
	}
	return out
}

// maxStarts is for how many incarnations matching lines are kept afresh.
const maxStarts = 10

// begin starts the lines of another incarnation; recorded is how many events there are already.
func (k *logKeeper) begin(recorded int) {
	k.from, k.since = recorded, time.Now()
	if k.starts++; k.starts > maxStarts {
		return
	}
	k.afresh()
}

// afresh keeps matching lines as if there had been none before: of a new incarnation, or since the service was asked to stop.
func (k *logKeeper) afresh() {
	for _, w := range k.wanted {
		w.met = 0
	}
}

// find returns a kept line of the present incarnation that matches.
func (k *logKeeper) find(re *regexp.Regexp, recorded []timeline.Event) (string, bool) {
	for _, e := range recorded[min(k.from, len(recorded)):] {
		if e.Kind == timeline.Log && (re.MatchString(e.Text) || slices.Contains(e.Matched, re.String())) {
			return e.Text, true
		}
	}
	for _, l := range k.last {
		if !l.at.Before(k.since) && re.MatchString(l.raw) {
			return shorten(k.mask(l.raw), keepText), true
		}
	}
	return "", false
}

func expectedLogs(e contracts.Expectation) []string {
	var out []string
	if e.FailFast != nil && e.FailFast.Log != "" {
		out = append(out, e.FailFast.Log)
	}
	if e.GiveUp != nil && e.GiveUp.Log != "" {
		out = append(out, e.GiveUp.Log)
	}
	if e.Stop != nil && e.Stop.Log != "" {
		out = append(out, e.Stop.Log)
	}
	for _, sub := range slices.Concat(e.AnyOf, e.AllOf) {
		out = append(out, expectedLogs(sub)...)
	}
	return out
}

// line takes one line, as the service wrote it. Most lines of a noisy service are dropped again, so nothing is done to them
// before it is known that they stay. Gate held.
func (k *logKeeper) line(at time.Time, stream, raw string) {
	k.seen++
	held := heldLine{at, stream, raw}
	matched, given := k.wants(raw), k.gives(raw)
	if len(matched) > 0 || len(given) > 0 || k.seen <= keepFirst {
		k.keep(held, matched, given)
		return
	}
	k.last = append(k.last, held)
	if len(k.last) > 2*keepLast {
		k.dropped += keepLast
		k.last = append(k.last[:0], k.last[keepLast:]...)
	}
}

// keep makes an event of a line. Expressions that matched it, but would not find it any more in what is kept of it, are noted.
func (k *logKeeper) keep(l heldLine, matched []*wanted, given []string) {
	e := timeline.Event{Kind: timeline.Log, Stream: l.stream, Text: shorten(k.mask(l.raw), keepText), Secret: given}
	for _, re := range matched {
		if !re.MatchString(e.Text) && !slices.Contains(e.Matched, re.String()) {
			e.Matched = append(e.Matched, re.String())
		}
	}
	k.add(l.at, e)
}

// wants returns the expressions that look for the line and have not found enough yet.
func (k *logKeeper) wants(raw string) (matched []*wanted) {
	for _, w := range k.wanted {
		if w.met < keepMatched && w.MatchString(raw) {
			w.met++
			matched = append(matched, w)
		}
	}
	return matched
}

// flush adds the last lines that were held back. They come out of order: the trial sorts its timeline by time.
func (k *logKeeper) flush() {
	if n := len(k.last) - keepLast; n > 0 {
		k.dropped += n
		k.last = k.last[n:]
	}
	if k.dropped > 0 && len(k.last) > 0 {
		k.add(k.last[0].at, timeline.Event{Kind: timeline.LogDropped, Count: map[string]float64{"lines": float64(k.dropped)}})
	}
	for _, l := range k.last {
		k.keep(l, nil, nil)
	}
	k.last = nil
}

// cappedFile writes at most maxLogFile bytes to a file, then says so once and drops the rest.
type cappedFile struct {
	f    *os.File
	left int64
}

func newCappedFile(path string) (*cappedFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) // #nosec G304 -- a path inside the trial's own folder
	if err != nil {
		return nil, fmt.Errorf("open log file %s: %w", path, err)
	}
	return &cappedFile{f: f, left: maxLogFile}, nil
}

// Write never reports the cap as an error: the service must not feel it.
func (c *cappedFile) Write(p []byte) (int, error) {
	if c.left <= 0 {
		return len(p), nil
	}
	n := min(int64(len(p)), c.left)
	if _, err := c.f.Write(p[:n]); err != nil {
		return 0, err
	}
	c.left -= n
	if c.left == 0 {
		_, err := io.WriteString(c.f, "\n[chaos: the log is longer than 64 MiB; the rest was not kept]\n")
		return len(p), err
	}
	return len(p), nil
}

func (c *cappedFile) Close() error { return c.f.Close() }
