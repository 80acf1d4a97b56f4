package orchestrators

import (
	"fmt"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// Systemd is what a unit file says of a service, in systemd's own words. Nil and empty fields are systemd's defaults.
// https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
type Systemd struct {
	Source                string             `json:"source,omitempty"`
	Type                  string             `json:"Type,omitempty"`                  // simple (default), exec, notify, notify-reload, ...
	TimeoutStartSec       *timeline.Duration `json:"TimeoutStartSec,omitempty"`       // default 90s; 0 is infinity
	Restart               string             `json:"Restart,omitempty"`               // no (default), always, on-failure, ...
	RestartSec            *timeline.Duration `json:"RestartSec,omitempty"`            // default 100ms
	StartLimitBurst       *int               `json:"StartLimitBurst,omitempty"`       // default 5
	StartLimitIntervalSec *timeline.Duration `json:"StartLimitIntervalSec,omitempty"` // default 10s; 0 means no limit
}

// SdNotify is the name of systemd's question, as Start.Answers knows it: READY=1.
const SdNotify = "READY=1"

func orDuration(d *timeline.Duration, standard float64) float64 {
	if d == nil {
		return standard
	}
	return d.MS()
}

func (u Systemd) timeout() float64 { return orDuration(u.TimeoutStartSec, 90_000) }

// waits tells whether systemd waits for the service to say that it is ready.
func (u Systemd) waits() bool { return strings.HasPrefix(u.Type, "notify") }

func (u Systemd) fate(s Start) Fate {
	said := s.answers(SdNotify)
	limit := u.timeout()
	switch {
	case !u.waits() && s.Exit != nil:
		return u.exited(s)
	case !u.waits():
		kind := u.Type
		if kind == "" {
			kind = "simple"
		}
		return Fate{State: Survives, Text: fmt.Sprintf("systemd would not have killed it: with Type=%s it does not wait for it to be ready, and starts what "+
			"comes after it at once; %s", kind, s.readyWords())}
	case limit > 0 && (len(said) == 0 || said[0].From > limit) && s.over() >= limit:
		return u.killed(s, limit)
	case s.Exit != nil:
		return u.exited(s)
	case len(said) == 0:
		return Fate{State: Open, Next: "raise service.budget", Text: fmt.Sprintf("systemd would still have waited for it (TimeoutStartSec=%s), %s: it was not watched "+
			"for long enough", u.limitWords(), s.readyWords())}
	}
	return Fate{State: Survives, Text: fmt.Sprintf("systemd would have waited for it (TimeoutStartSec=%s), it was ready at %s", u.limitWords(), seconds(said[0].From))}
}

func (u Systemd) limitWords() string {
	if u.timeout() <= 0 {
		return "infinity"
	}
	return seconds(u.timeout())
}

func (u Systemd) killed(s Start, limit float64) Fate {
	stopping := 0.0
	if s.StopMS != nil {
		stopping = *s.StopMS
	}
	loop := play(limit, stopping, shownRestarts, 0, u.restarts("timeout"))
	text := fmt.Sprintf("systemd would have stopped it at %s (TimeoutStartSec), %s; %s", seconds(limit), s.readyWords(), loop.words())
	if loop.given == "" {
		text += ": never ready if every start takes as long"
	}
	need := s.EndMS
	if ready, ok := s.readyMS(); ok {
		need = ready
	}
	return Fate{State: Killed, Text: text, Next: "TimeoutStartSec=" + whole(need) + " or more"}
}

// restarts is the policy of the unit. why is how it ended: "timeout", "clean" or "failure".
// The start limit is a fixed window that begins with its first start, as in systemd's src/basic/ratelimit.c.
func (u Systemd) restarts(why string) policy {
	burst, interval := 5, orDuration(u.StartLimitIntervalSec, 10_000)
	if u.StartLimitBurst != nil {
		burst = *u.StartLimitBurst
	}
	windowBegan, starts := 0.0, 1 // the first start is the first of the window
	return func(_ int, at, _ float64) (float64, string, bool) {
		if !u.restartsAfter(why) {
			name := u.Restart
			if name == "" {
				name = "no"
			}
			return 0, "Restart=" + name, false
		}
		wait := orDuration(u.RestartSec, 100)
		start := at + wait
		switch {
		case interval <= 0 || burst <= 0:
		case start > windowBegan+interval:
			windowBegan, starts = start, 1
		case starts >= burst:
			return 0, fmt.Sprintf("%d starts within %s (StartLimitBurst, StartLimitIntervalSec)", burst, seconds(interval)), false
		default:
			starts++
		}
		return wait, "", true
	}
}

// restartsAfter is the table of Restart= in systemd.service(5).
func (u Systemd) restartsAfter(why string) bool {
	switch u.Restart {
	case "always":
		return true
	case "on-failure":
		return why != "clean"
	case "on-abnormal":
		return why == "timeout"
	case "on-success":
		return why == "clean"
	}
	return false
}

func (u Systemd) exited(s Start) Fate {
	why := "clean"
	if s.Exit.Bad {
		why = "failure"
	}
	text, gaveUp := crashed(s, u.restarts(why))
	f := Fate{State: Exited, Text: fmt.Sprintf("it ended by itself at %s; systemd: %s", seconds(s.Exit.AtMS), text)}
	if gaveUp {
		f.State, f.Next = Killed, "Restart=on-failure with a longer RestartSec, or StartLimitIntervalSec=0"
	}
	return f
}
