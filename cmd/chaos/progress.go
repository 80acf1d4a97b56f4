package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/runner"
)

// progress shows a run while it goes on: on a terminal one line per running trial, repainted; elsewhere, and with CI set, one
// plain line per finished trial.
type progress struct {
	w    io.Writer
	live bool

	mu      sync.Mutex
	running map[int]*trialLine
	painted int
	done    int
	stop    chan struct{}
	stopped chan struct{}
}

// trialLine is what the live display knows of a running trial.
type trialLine struct {
	title, phase, fault string
	started             time.Time
}

func newProgress(d deps) *progress {
	ci, _ := d.env("CI")
	p := &progress{w: d.stderr, live: d.terminal && ci == "", running: map[int]*trialLine{}, stop: make(chan struct{}), stopped: make(chan struct{})}
	go p.tick()
	return p
}

// tick repaints the elapsed times.
func (p *progress) tick() {
	defer close(p.stopped)
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.mu.Lock()
			p.repaint()
			p.mu.Unlock()
		case <-p.stop:
			return
		}
	}
}

// close removes the live lines.
func (p *progress) close() {
	close(p.stop)
	<-p.stopped
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// on takes one step of the run.
func (p *progress) on(e runner.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case runner.Building:
		p.print("build    " + e.Text)
	case runner.DependencyUp:
		p.print(fmt.Sprintf("up       %s: %s", e.Title, e.Text))
	case runner.TrialStarted:
		p.running[e.Trial] = &trialLine{title: e.Title, started: time.Now()}
	case runner.TrialPhase:
		if l := p.running[e.Trial]; l != nil {
			l.phase = e.Text
		}
	case runner.TrialFault:
		if l := p.running[e.Trial]; l != nil {
			l.fault = e.Text
		}
	case runner.TrialDone:
		delete(p.running, e.Trial)
		p.done++
		p.print(fmt.Sprintf("%-8s [%d/%d] %s (%.2fs)", e.Verdict, p.done, e.Total, e.Title, e.Elapsed.Seconds()))
	case runner.Finished:
	}
	p.repaint()
}

// print writes a lasting line above the live ones.
func (p *progress) print(line string) {
	p.erase()
	fmt.Fprintln(p.w, line)
}

func (p *progress) erase() {
	if p.live && p.painted > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.painted)
	}
	p.painted = 0
}

func (p *progress) repaint() {
	if !p.live {
		return
	}
	p.erase()
	var lines []string
	for _, i := range sorted(p.running) {
		l := p.running[i]
		lines = append(lines, fmt.Sprintf("  %6.1fs  %-12s %-36s %s", time.Since(l.started).Seconds(), l.phase, cut(l.fault, 36), cut(l.title, 60)))
	}
	if len(lines) > 0 {
		fmt.Fprintln(p.w, strings.Join(lines, "\n"))
	}
	p.painted = len(lines)
}

func sorted(m map[int]*trialLine) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n-1] + "~"
	}
	return s
}
