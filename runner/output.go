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
	keepMatched = 100
	keepText    = 1000
	maxLogFile  = 64 << 20
)

// logKeeper turns log lines into events without ever holding more than a bounded number of them.
type logKeeper struct {
	wanted  []*regexp.Regexp
	seen    int
	matched int
	last    []timedEvent
	dropped int
	add     func(time.Time, timeline.Event)
	mask    func(string) string
}

type timedEvent struct {
	at    time.Time
	event timeline.Event
}

// newLogKeeper keeps every line that one of the expressions of the trial's expectation or invariants matches.
func newLogKeeper(t experiments.Trial, s contracts.Spec, add func(time.Time, timeline.Event), mask func(string) string) (*logKeeper, error) {
	k := &logKeeper{add: add, mask: mask}
	for _, text := range slices.Concat(expectedLogs(s.Expect), s.Invariants.LogNever, probedLogs(t)) {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("compile %q: %w", text, err)
		}
		k.wanted = append(k.wanted, re)
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

// find returns a kept line that matches.
func (k *logKeeper) find(re *regexp.Regexp, recorded []timeline.Event) (string, bool) {
	for _, e := range recorded {
		if e.Kind == timeline.Log && re.MatchString(e.Text) {
			return e.Text, true
		}
	}
	for _, l := range k.last {
		if re.MatchString(l.event.Text) {
			return l.event.Text, true
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
	for _, sub := range slices.Concat(e.AnyOf, e.AllOf) {
		out = append(out, expectedLogs(sub)...)
	}
	return out
}

// line takes one line, as the service wrote it. Gate held.
func (k *logKeeper) line(at time.Time, stream, raw string) {
	k.seen++
	text := shorten(k.mask(raw), keepText)
	e := timeline.Event{Kind: timeline.Log, Stream: stream, Text: text}
	if k.wants(raw, &e) || k.seen <= keepFirst {
		k.add(at, e)
		return
	}
	k.last = append(k.last, timedEvent{at, e})
	if len(k.last) > 2*keepLast {
		k.dropped += keepLast
		k.last = append(k.last[:0], k.last[keepLast:]...)
	}
}

// wants says whether an expression looks for the line, and notes those that would not find it any more in what is kept of it.
func (k *logKeeper) wants(raw string, e *timeline.Event) bool {
	if k.matched >= keepMatched {
		return false
	}
	found := false
	for _, re := range k.wanted {
		if !re.MatchString(raw) {
			continue
		}
		found = true
		if !re.MatchString(e.Text) && !slices.Contains(e.Matched, re.String()) {
			e.Matched = append(e.Matched, re.String())
		}
	}
	if found {
		k.matched++
	}
	return found
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
		k.add(l.at, l.event)
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
