package orchestrators

import (
	"fmt"

	"github.com/chaos-startup/chaos/timeline"
)

// Compose is what a Compose file says of one service: its healthcheck and its restart policy, in Compose's own words.
// https://docs.docker.com/reference/compose-file/services/#healthcheck
type Compose struct {
	Source        string            `json:"source,omitempty"`
	Interval      timeline.Duration `json:"interval,omitempty"`       // default 30s
	Timeout       timeline.Duration `json:"timeout,omitempty"`        // default 30s
	Retries       int               `json:"retries,omitempty"`        // default 3
	StartPeriod   timeline.Duration `json:"start_period,omitempty"`   // default 0s
	StartInterval timeline.Duration `json:"start_interval,omitempty"` // default 5s
	NoHealthcheck bool              `json:"no_healthcheck,omitempty"` // there is none, or it is disabled
	Restart       string            `json:"restart,omitempty"`        // no (default), always, unless-stopped, on-failure or on-failure:N
	Path          string            `json:"path,omitempty"`           // of the URL that its test asks; "" when none is seen in it
}

// Healthcheck is the name of Compose's probe, as Start.Answers knows it.
const Healthcheck = "healthcheck"

// Docker's defaults. https://docs.docker.com/reference/dockerfile/#healthcheck
const (
	healthInterval      = 30_000.0
	healthTimeout       = 30_000.0
	healthRetries       = 3
	healthStartInterval = 5_000.0
)

func orMS(d timeline.Duration, standard float64) float64 {
	if d <= 0 {
		return standard
	}
	return d.MS()
}

func (c Compose) words() string {
	text := fmt.Sprintf("healthcheck: %d retries x %s", or(c.Retries, healthRetries), seconds(orMS(c.Interval, healthInterval)))
	if c.StartPeriod > 0 {
		text += ", start_period " + seconds(c.StartPeriod.MS())
	}
	return text
}

// health is what comes of the checks: when they make the service healthy for the first time, and unhealthy at last; -1 is never.
type health struct{ healthy, unhealthy float64 }

// good tells whether it became healthy and stayed so.
func (h health) good() bool { return h.healthy >= 0 && h.unhealthy < 0 }

// health follows the checks until the service is unhealthy or nothing more was seen. A lenient check is answered yes at any time within its
// timeout, and takes all of it to fail.
// https://github.com/moby/moby/blob/master/daemon/health.go (monitor, handleProbeResult)
func (c Compose) health(s Start, lenient bool) health {
	out := health{-1, -1}
	yes, lasts := s.answers(Healthcheck), 0.0
	if lenient {
		lasts = orMS(c.Timeout, healthTimeout)
	}
	for streak, now := 0, 0.0; ; {
		starting := out.healthy < 0
		began := now + c.pause(starting && now < c.StartPeriod.MS())
		if began > s.over() { // it is asked only later: it goes on to say what it said
			if starting && s.stands(Healthcheck) {
				out.healthy = began
			}
			return out
		}
		at, held := firstYes(yes, began, began+lasts)
		if now = began + lasts; held {
			if streak, now = 0, at; starting {
				out.healthy = at
			}
			continue
		}
		if starting && began < c.StartPeriod.MS() {
			continue
		}
		if streak++; streak >= or(c.Retries, healthRetries) && now <= s.over() {
			out.unhealthy = now
			return out
		}
	}
}

// pause is how long Docker waits after a check. It takes no less than a millisecond.
func (c Compose) pause(starting bool) float64 {
	if starting {
		return max(1, orMS(c.StartInterval, healthStartInterval))
	}
	return max(1, orMS(c.Interval, healthInterval))
}

func (c Compose) fate(s Start) Fate {
	if c.NoHealthcheck {
		if s.Exit != nil {
			return c.exited(s)
		}
		return Fate{State: Survives, Text: "Docker would not have given it up: it has no healthcheck; whatever depends on it is started at once, ready or not; " + s.readyWords()}
	}
	strict, lenient := c.health(s, false), c.health(s, true)
	switch {
	case strict.unhealthy >= 0 && lenient.unhealthy >= 0:
		return Fate{State: Killed, Next: c.next(s, strict), Text: c.killed(s, strict)}
	case s.Exit != nil:
		return c.exited(s)
	case strict.good() && lenient.good():
		return Fate{State: Survives, Text: fmt.Sprintf("Docker would have called it healthy at %s (%s), %s", seconds(strict.healthy), c.words(), s.readyWords())}
	case strict.unhealthy >= 0 || lenient.unhealthy >= 0:
		return Fate{State: Open, Next: c.next(s, strict), Text: fmt.Sprintf("Docker may have called it unhealthy at %s (%s), %s: it depends on how long its check takes",
			seconds(max(strict.unhealthy, lenient.unhealthy)), c.words(), s.readyWords())}
	}
	return Fate{State: Open, Next: "raise service.budget", Text: fmt.Sprintf("Docker would not have decided yet (%s), %s: it was not watched for long enough", c.words(), s.readyWords())}
}

func (c Compose) killed(s Start, h health) string {
	if h.healthy >= 0 {
		return fmt.Sprintf("Docker would have called it healthy at %s and unhealthy at %s (%s), %s: Swarm would have killed it", seconds(h.healthy), seconds(h.unhealthy),
			c.words(), s.readyWords())
	}
	return fmt.Sprintf("Docker would have called it unhealthy at %s (%s), %s: services that depend on it with condition: service_healthy would not have been started, "+
		"and Swarm would have killed it", seconds(h.unhealthy), c.words(), s.readyWords())
}

// next says what would have kept it from being unhealthy: after it was healthy no start period helps.
func (c Compose) next(s Start, h health) string {
	if h.healthy >= 0 {
		return "let it go on to answer once it is ready, or more retries"
	}
	need := s.EndMS
	if ms, ok := s.readyMS(); ok {
		need = c.startPeriodFor(ms)
	}
	return fmt.Sprintf("start_period: %s, or more retries", whole(need))
}

// retrying is how long the checks that count go on at least before they make the service unhealthy.
func (c Compose) retrying() float64 { return float64(or(c.Retries, healthRetries)-1) * c.pause(false) }

// startPeriodFor is the smallest start_period that lets a start live which answers yes from ready on, wherever its checks fall: the first that
// counts comes at the end of the period at the earliest.
func (c Compose) startPeriodFor(ready float64) float64 { return max(0, ready-c.retrying()) }

// whole writes milliseconds as a duration of whole seconds, rounded up.
func whole(ms float64) string {
	n := int(ms / 1000)
	if float64(n)*1000 < ms {
		n++
	}
	return fmt.Sprintf("%ds", n)
}

// Docker's restart manager waits 100 ms before the first restart, twice as long each time up to a minute, and begins anew after a run of 10 s.
// https://github.com/moby/moby/blob/master/daemon/internal/restartmanager/restartmanager.go
const (
	dockerFirst = 100.0
	dockerLast  = 60_000.0
	dockerReset = 10_000.0
)

func (c Compose) restarts(bad bool) policy {
	name, most := c.Restart, 0
	if n, err := fmt.Sscanf(c.Restart, "on-failure:%d", &most); err == nil && n == 1 {
		name = "on-failure"
	}
	pause := 0.0
	return func(n int, _, ran float64) (float64, string, bool) {
		switch {
		case name == "" || name == "no":
			return 0, "restart: no", false
		case name == "on-failure" && !bad:
			return 0, "restart: on-failure, and it ended well", false
		case name == "on-failure" && most > 0 && n > most:
			return 0, "restart: " + c.Restart, false
		case ran >= dockerReset || pause == 0:
			pause = dockerFirst
		default:
			pause = min(2*pause, dockerLast)
		}
		return pause, "", true
	}
}

func (c Compose) exited(s Start) Fate {
	text, gaveUp := crashed(s, c.restarts(s.Exit.Bad))
	f := Fate{State: Exited, Text: fmt.Sprintf("it ended by itself at %s; Docker: %s", seconds(s.Exit.AtMS), text)}
	if gaveUp {
		f.State, f.Next = Killed, "restart: unless-stopped"
	}
	return f
}
