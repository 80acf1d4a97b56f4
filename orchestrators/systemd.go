package orchestrators

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// Systemd is what a unit file says of a service, in systemd's own words. Nil and empty fields are systemd's defaults.
// https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
type Systemd struct {
	Source                string             `json:"source,omitempty"`
	Type                  string             `json:"Type,omitempty"`                  // simple (default), exec, notify, notify-reload, ...
	TimeoutStartSec       *timeline.Duration `json:"TimeoutStartSec,omitempty"`       // default 90s, of a oneshot infinity; 0 is infinity
	Restart               string             `json:"Restart,omitempty"`               // no (default), always, on-failure, ...
	RestartSec            *timeline.Duration `json:"RestartSec,omitempty"`            // default 100ms
	StartLimitBurst       *int               `json:"StartLimitBurst,omitempty"`       // default 5
	StartLimitIntervalSec *timeline.Duration `json:"StartLimitIntervalSec,omitempty"` // default 10s; 0 means no limit
}

// SdNotify is the name of systemd's question, as Start.Answers knows it: READY=1.
const SdNotify = "READY=1"

// infinity is a time span that never ends. As TimeoutStartSec it is 0.
const infinity = timeline.Duration(math.MaxInt64)

func orDuration(d *timeline.Duration, standard float64) float64 {
	if d == nil {
		return standard
	}
	return d.MS()
}

// timeout is how long systemd waits, 0 for ever.
func (u Systemd) timeout() float64 {
	if u.Type == "oneshot" {
		return orDuration(u.TimeoutStartSec, 0)
	}
	return orDuration(u.TimeoutStartSec, 90_000)
}

// waits tells whether systemd waits for the service to say that it is ready.
func (u Systemd) waits() bool { return strings.HasPrefix(u.Type, "notify") }

// awaits is what systemd waits for that a trial does not show, "" when there is no such thing.
func (u Systemd) awaits() string {
	switch u.Type {
	case "forking":
		return "the process that it starts has ended and left the service behind"
	case "oneshot":
		return "the process that it starts has ended"
	case "dbus":
		return "the service has its name on the bus"
	}
	return ""
}

// deadline is when systemd gives a start up, with what the service asked for; 0 is never.
func (u Systemd) deadline(s Start) float64 {
	limit := u.timeout()
	if limit <= 0 {
		return 0
	}
	for _, e := range s.Extends {
		if e.AtMS <= limit {
			limit = max(limit, e.AtMS+e.ByMS)
		}
	}
	return limit
}

// needs is the smallest TimeoutStartSec for a start that is ready at ms: until it is, or until its own extensions last.
func (u Systemd) needs(s Start, ms float64) float64 {
	need := ms
	for _, e := range s.Extends {
		at := timeline.Duration(e.AtMS * float64(time.Millisecond))
		if e.AtMS > 0 && e.AtMS < need && (Systemd{TimeoutStartSec: &at}).deadline(s) >= ms {
			need = e.AtMS
		}
	}
	return need
}

func (u Systemd) fate(s Start) Fate {
	said := s.answers(SdNotify)
	limit := u.deadline(s)
	switch {
	case u.awaits() != "" && (s.Exit == nil || u.result(s) == success):
		return Fate{State: Open, Next: "try it under systemd itself, or let the service say READY=1 with Type=notify", Text: fmt.Sprintf("systemd waits with Type=%s until "+
			"%s (TimeoutStartSec=%s): that is not known here; %s", u.Type, u.awaits(), u.limitWords(), s.readyWords())}
	case !u.waits() && s.Exit != nil:
		return u.exited(s)
	case !u.waits():
		return Fate{State: Survives, Text: fmt.Sprintf("systemd would not have killed it: with Type=%s it does not wait for it to be ready, and starts what "+
			"comes after it at once; %s", cmp.Or(u.Type, "simple"), s.readyWords())}
	case limit > 0 && (len(said) == 0 || said[0].From > limit) && s.over() >= limit:
		return u.killed(s, limit)
	case s.Exit != nil:
		return u.exited(s)
	case len(said) == 0:
		return Fate{State: Open, Next: "raise service.budget", Text: fmt.Sprintf("systemd would still have waited for it (TimeoutStartSec=%s), %s: it was not watched "+
			"for long enough", u.limitWords()+u.extended(limit), s.readyWords())}
	}
	return Fate{State: Survives, Text: fmt.Sprintf("systemd would have waited for it (TimeoutStartSec=%s), it was ready at %s", u.limitWords()+u.extended(limit), seconds(said[0].From))}
}

func (u Systemd) limitWords() string {
	if u.timeout() <= 0 {
		return "infinity"
	}
	return seconds(u.timeout())
}

// extended continues TimeoutStartSec where the service had a deadline moved.
func (u Systemd) extended(deadline float64) string {
	if deadline > u.timeout() {
		return ", extended by EXTEND_TIMEOUT_USEC"
	}
	return ""
}

func (u Systemd) killed(s Start, limit float64) Fate {
	stopping := 0.0
	if s.StopMS != nil {
		stopping = *s.StopMS
	}
	loop := play(limit, stopping, shownRestarts, 0, u.restarts(timeout))
	text := fmt.Sprintf("systemd would have stopped it at %s (TimeoutStartSec%s), %s; %s", seconds(limit), u.extended(limit), s.readyWords(), loop.words())
	if loop.given == "" {
		text += ": never ready if every start takes as long"
	}
	need := s.EndMS
	if ready, ok := s.readyMS(); ok {
		need = u.needs(s, ready)
	}
	return Fate{State: Killed, Text: text, Next: "TimeoutStartSec=" + whole(need) + " or more"}
}

// How a start ended, in the words of systemd's own results.
const (
	success  = "success"
	exitCode = "exit-code"
	signal   = "signal"
	timeout  = "timeout"
	protocol = "protocol" // it ended well, but before it said that it was ready
)

// cleanSignals end a service well, unless it is a oneshot.
var cleanSignals = []string{"SIGHUP", "SIGINT", "SIGTERM", "SIGPIPE"}

// result is how a service ended by itself.
// https://github.com/systemd/systemd/blob/main/src/core/service.c (service_sigchld_event), src/shared/exit-status.c (is_clean_exit)
func (u Systemd) result(s Start) string {
	switch e := s.Exit; {
	case e.Code != 0:
		return exitCode
	case e.Signal != "" && (u.Type == "oneshot" || !slices.Contains(cleanSignals, e.Signal)):
		return signal
	case u.waits() && len(s.answers(SdNotify)) == 0:
		return protocol
	}
	return success
}

// restarts is the policy of the unit after a result.
// The start limit is a fixed window that begins with its first start, as in systemd's src/basic/ratelimit.c.
func (u Systemd) restarts(result string) policy {
	burst, interval := 5, orDuration(u.StartLimitIntervalSec, 10_000)
	if u.StartLimitBurst != nil {
		burst = *u.StartLimitBurst
	}
	limit := fmt.Sprintf("%d starts within %s (StartLimitBurst, StartLimitIntervalSec)", burst, seconds(interval))
	if interval >= infinity.MS() {
		limit = fmt.Sprintf("%d starts (StartLimitBurst, StartLimitIntervalSec=infinity)", burst)
	}
	windowBegan, starts := 0.0, 1 // the first start is the first of the window
	return func(_ int, at, _ float64) (float64, string, bool) {
		wait := orDuration(u.RestartSec, 100)
		switch start := at + wait; {
		case !u.restartsAfter(result):
			return 0, "Restart=" + cmp.Or(u.Restart, "no"), false
		case wait >= infinity.MS():
			return 0, "RestartSec=infinity", false
		case interval <= 0 || burst <= 0:
		case start > windowBegan+interval:
			windowBegan, starts = start, 1
		case starts >= burst:
			return 0, limit, false
		default:
			starts++
		}
		return wait, "", true
	}
}

// restartsAfter is the table of Restart= in systemd.service(5); protocol, which it leaves out, is as in service_shall_restart.
func (u Systemd) restartsAfter(result string) bool {
	switch u.Restart {
	case "always":
		return true
	case "on-failure":
		return result != success
	case "on-abnormal":
		return result != success && result != exitCode
	case "on-abort":
		return result == signal
	case "on-success":
		return result == success
	}
	return false
}

func (u Systemd) exited(s Start) Fate {
	text, gaveUp := crashed(s, u.restarts(u.result(s)))
	early := ""
	if u.result(s) == protocol {
		early = " before it said that it was ready"
	}
	f := Fate{State: Exited, Text: fmt.Sprintf("it ended by itself at %s%s; systemd: %s", seconds(s.Exit.AtMS), early, text)}
	if gaveUp {
		f.State, f.Next = Killed, "Restart=on-failure with a longer RestartSec, or StartLimitIntervalSec=0"
		if orDuration(u.RestartSec, 100) >= infinity.MS() {
			f.Next = "Restart=on-failure with a RestartSec that ends"
		}
	}
	return f
}
