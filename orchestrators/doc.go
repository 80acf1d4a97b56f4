// Package orchestrators computes what an orchestrator (Kubernetes, Docker Compose, systemd) would have done with a start that a trial saw:
// whether it would have given the service the time that it needed, and how the crash loop would have gone otherwise.
//
// Everything here is a pure function over the orchestrator's own settings, which can be imported from its own files, and over what was seen.
// It runs no orchestrator, opens no file and judges nothing.
package orchestrators

import (
	"fmt"
	"strings"
)

// Orchestrator is who starts the service in production. At most one field is set; the zero value is nobody.
type Orchestrator struct {
	Kubernetes *Kubernetes `json:"kubernetes,omitempty"`
	Compose    *Compose    `json:"compose,omitempty"`
	Systemd    *Systemd    `json:"systemd,omitempty"`
}

// Start is one start of the service as a trial saw it. Times are milliseconds since its exec.
type Start struct {
	Ready   []Span            // when the service's own ready probe said yes
	Answers map[string][]Span // when a probe of the orchestrator's own said yes, by its name, where it was asked; else Ready stands for it
	Unasked map[string]string // why a probe of the orchestrator's own could not be asked, by its name; then nothing stands for it
	Exit    *Exit             // it ended by itself
	Extends []Extension       // what it sent to systemd to be given longer
	StopMS  *float64          // how long it took to end after a stop signal, where that was seen
	LiftMS  *float64          // when the last fault of the trial went off; nil when none did while it was watched
	EndMS   float64           // until when it was watched
}

// Span is a stretch of time; To is at most Start.EndMS.
type Span struct{ From, To float64 }

// Exit is the end that a service made by itself.
type Exit struct {
	AtMS   float64
	Code   int    // 0 where a signal ended it
	Signal string // "SIGKILL"; "" where it exited
	Bad    bool   // a code other than 0, or a signal
}

// Extension is EXTEND_TIMEOUT_USEC=, sent at a moment: so long may it take from then on until it sends the next, or READY=1.
type Extension struct{ AtMS, ByMS float64 }

// State says what a trial shows of an orchestrator.
type State string

// The states of a Fate.
const (
	Survives State = "survives" // it would have been left alone until it was ready, and afterwards
	Killed   State = "killed"   // it would have been killed or given up, however the orchestrator's moments had fallen
	Exited   State = "exited"   // it ended by itself before the orchestrator would have
	Open     State = "open"     // it depends on what the trial does not show
)

// Fate is what the orchestrator would have done, in words that begin with its name or "it", and what to do about it.
type Fate struct {
	State State
	Text  string
	Next  string
}

// Fate computes what the orchestrator would have done with a start. ok is false for the zero Orchestrator.
func (o Orchestrator) Fate(s Start) (f Fate, ok bool) {
	switch {
	case o.Kubernetes != nil:
		return o.Kubernetes.fate(s), true
	case o.Compose != nil:
		return o.Compose.fate(s), true
	case o.Systemd != nil:
		return o.Systemd.fate(s), true
	}
	return Fate{}, false
}

// Name is what the orchestrator is called, "" for the zero value.
func (o Orchestrator) Name() string {
	switch {
	case o.Kubernetes != nil:
		return "Kubernetes"
	case o.Compose != nil:
		return "Docker"
	case o.Systemd != nil:
		return "systemd"
	}
	return ""
}

// readyMS is when the service was ready to stay, or false.
func (s Start) readyMS() (float64, bool) {
	if n := len(s.Ready); n > 0 && s.Ready[n-1].To >= s.EndMS {
		return s.Ready[n-1].From, true
	}
	return 0, false
}

// answers returns the spans in which a probe said yes.
func (s Start) answers(probe string) []Span {
	if own, asked := s.Answers[probe]; asked {
		return own
	}
	return s.Ready
}

// over is when nothing more was seen of the service.
func (s Start) over() float64 {
	if s.Exit != nil {
		return min(s.Exit.AtMS, s.EndMS)
	}
	return s.EndMS
}

// firstYes is when the spans first say yes, of the time from..to.
func firstYes(spans []Span, from, to float64) (float64, bool) {
	for _, span := range spans {
		if span.From <= to && from <= span.To {
			return max(from, span.From), true
		}
	}
	return 0, false
}

// stands reports whether a probe said yes when watching ended, and so would have gone on to.
func (s Start) stands(probe string) bool {
	yes := s.answers(probe)
	return s.Exit == nil && len(yes) > 0 && yes[len(yes)-1].To >= s.EndMS
}

// readyWords continues a sentence with when the service was ready.
func (s Start) readyWords() string {
	if ms, ok := s.readyMS(); ok {
		return "it was ready at " + seconds(ms)
	}
	if len(s.Ready) > 0 {
		return "it said that it was ready at " + seconds(s.Ready[0].From) + " and took it back"
	}
	return "it was not ready until " + seconds(s.EndMS)
}

// seconds writes milliseconds for people: "19 ms", "34.2 s", "5m 10s" beyond three minutes.
func seconds(ms float64) string {
	if ms < 100 {
		return fmt.Sprintf("%.0f ms", ms)
	}
	if ms < 180_000 {
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	whole := int64(ms/1000 + 0.5)
	if whole < 7200 {
		return fmt.Sprintf("%dm %ds", whole/60, whole%60)
	}
	return fmt.Sprintf("%dh %dm", whole/3600, whole%3600/60)
}

func list(parts []string) string { return strings.Join(parts, ", ") }
