package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/runner"
)

// progress shows a run while it goes on: on a terminal one line per running trial, repainted; elsewhere, and with CI set, one
// plain line per finished trial. Everything else that is written to stderr during a run goes through it, or it would be painted over.
//
// Who tells it something never waits for the terminal: a user who holds it (Ctrl-S) would hold the trials, and services would
// look slow that are not.
type progress struct {
	w      io.Writer
	screen screen // the zero screen: plain lines
	now    func() time.Time

	mu      sync.Mutex
	running map[int]*trialLine
	pending strings.Builder // lasting text that is not written yet
	dropped int             // lines that were too many to wait
	done    int
	kept    string // the run's folder, with --keep

	painted []int // the widths of the live lines; of the writer
	news    chan struct{}
	stop    chan struct{}
	stopped chan struct{}
}

// maxPending bounds what waits for a terminal.
const maxPending = 1 << 20

// trialLine is what the live display knows of a running trial.
type trialLine struct {
	title, phase, fault string
	started             time.Time
}

func newProgress(d deps) *progress {
	p := &progress{
		w: d.stderr, now: time.Now, running: map[int]*trialLine{},
		news: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if d.err.live(d) {
		p.screen = d.err
	}
	go p.write()
	return p
}

// write writes what there is to write, and repaints the elapsed times.
func (p *progress) write() {
	defer close(p.stopped)
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.news:
		case <-ticker.C:
		case <-p.stop:
			return
		}
		p.flush()
	}
}

// close writes what is left and removes the live lines.
func (p *progress) close() {
	close(p.stop)
	<-p.stopped
	p.mu.Lock()
	clear(p.running)
	p.mu.Unlock()
	p.flush()
}

// on takes one step of the run.
func (p *progress) on(e runner.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := ""
	switch e.Kind {
	case runner.Building:
		line = step("build", e.Text)
	case runner.DependencyUp:
		line = step("up", e.Title+": "+e.Text)
	case runner.Kept:
		p.kept = e.Text
	case runner.Unkept:
		line = "chaos: " + plain(e.Text) + " (free space; a run that is killed loses the trials judged from here on, one that ends still writes its report)\n"
	case runner.TrialStarted:
		p.running[e.Trial] = &trialLine{title: plain(e.Title), started: p.now()}
	case runner.TrialPhase:
		if l := p.running[e.Trial]; l != nil {
			l.phase = plain(e.Text)
		}
	case runner.TrialFault:
		if l := p.running[e.Trial]; l != nil {
			l.fault = plain(e.Text)
		}
	case runner.TrialDone:
		delete(p.running, e.Trial)
		p.done++
		line = step(verdictWord(e.Verdict), fmt.Sprintf("[%d/%d] %s (%.2fs)", p.done, e.Total, plain(e.Title), e.Elapsed.Seconds()))
	case runner.Finished:
		clear(p.running)
	}
	p.add(line)
}

// step is a lasting line: what happened, and to what.
func step(what, text string) string { return fmt.Sprintf("%-13s %s\n", what, plain(text)) }

// verdictWord is as in the table of the report: what needs attention is in capitals.
func verdictWord(v contracts.Verdict) string {
	if v == contracts.Pass {
		return string(v)
	}
	return strings.ToUpper(string(v))
}

// above has lasting text, whole lines, written above the live ones.
func (p *progress) above(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(text)
}

// Write makes a progress the place for log lines.
func (p *progress) Write(b []byte) (int, error) {
	p.above(string(b))
	return len(b), nil
}

// add leaves text to the writer. The lock is held.
func (p *progress) add(text string) {
	if p.pending.Len()+len(text) > maxPending {
		p.dropped++
	} else {
		p.pending.WriteString(text)
	}
	select {
	case p.news <- struct{}{}:
	default: // it knows already
	}
}

// flush takes the live lines away, writes the pending text, and paints them anew: in one write, so that nothing flickers.
func (p *progress) flush() {
	p.mu.Lock()
	text := p.pending.String()
	if p.dropped > 0 {
		text += fmt.Sprintf("(%d lines are left out here: nobody took them)\n", p.dropped)
	}
	p.pending.Reset()
	p.dropped = 0
	if p.screen.there() {
		width, height := p.screen.size()
		text = p.erase(width) + text
		p.painted = nil
		for _, l := range p.lines(width-1, height-1) {
			p.painted = append(p.painted, columnsOf(l))
			text += l + "\n"
		}
	}
	p.mu.Unlock()
	if text != "" {
		_, _ = io.WriteString(p.w, text) // a display that nobody sees is no reason to stop a run
	}
}

// erase goes to the first live line and clears from there. In a window that became narrower a line takes several rows.
func (p *progress) erase(width int) string {
	rows := 0
	for _, n := range p.painted {
		rows += max(1, (n+width-1)/width)
	}
	if rows == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", rows)
}

// lines are the live lines, at most so wide and so many.
func (p *progress) lines(width, most int) []string {
	var out []string
	for n, i := range sortedKeys(p.running) {
		if rest := len(p.running) - n; n == most-1 && rest > 1 {
			return append(out, fmt.Sprintf("  and %d more", rest))
		}
		out = append(out, p.running[i].line(p.now(), width))
	}
	return out
}

// line has the elapsed time, the title, the phase and what last became of a fault. The title gets half of what there is.
func (l *trialLine) line(now time.Time, width int) string {
	const phase = 12
	title := max(10, (width-phase-14)/2)
	text := fmt.Sprintf("  %6.1fs  %s  %s  %s", now.Sub(l.started).Seconds(), pad(cut(l.title, title), title), pad(cut(l.phase, phase), phase), l.fault)
	return strings.TrimRight(cut(text, width), " ")
}

func sortedKeys[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
