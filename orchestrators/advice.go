package orchestrators

import "fmt"

// Needs is how long the orchestrator must wait for this start: until its probe holds to stay. ok is false when it never did.
func (o Orchestrator) Needs(s Start) (ms float64, ok bool) {
	probe := SdNotify
	switch {
	case o.Kubernetes != nil && o.Kubernetes.StartupProbe != nil:
		probe = StartupProbe
	case o.Kubernetes != nil:
		probe = LivenessProbe
	case o.Compose != nil:
		probe = Healthcheck
	}
	if !s.stands(probe) || s.Unasked[probe] != "" || o.Kubernetes != nil && o.Kubernetes.elsewhere(probe, "") != "" {
		return 0, false
	}
	yes := s.answers(probe)
	ms = yes[len(yes)-1].From
	if o.Systemd != nil {
		ms = o.Systemd.needs(s, ms)
	}
	return ms, true
}

// Advice says which setting is the smallest that lets a start live which takes as long as Needs says, and what it is now; "" when no setting
// matters.
func (o Orchestrator) Advice(ms float64) string {
	switch {
	case o.Kubernetes != nil:
		return o.Kubernetes.advice(ms)
	case o.Compose != nil && !o.Compose.NoHealthcheck:
		return o.Compose.advice(ms)
	case o.Systemd != nil && o.Systemd.waits():
		return o.Systemd.advice(ms)
	}
	return ""
}

func (k Kubernetes) advice(ms float64) string {
	name, p := StartupProbe, k.StartupProbe
	if p == nil {
		name, p = LivenessProbe, k.LivenessProbe
	}
	if p == nil {
		return ""
	}
	need, period := p.thresholdFor(ms), or(p.PeriodSeconds, 10)
	switch {
	case need <= p.failures():
		return fmt.Sprintf("%s: failureThreshold >= %d with periodSeconds %d is needed, and it is %d", name, need, period, p.failures())
	case name == LivenessProbe:
		return fmt.Sprintf("a startupProbe is needed, with failureThreshold >= %d and periodSeconds %d: there is none, and the livenessProbe has failureThreshold %d",
			need, period, p.failures())
	}
	return fmt.Sprintf("%s needs failureThreshold >= %d with periodSeconds %d, and has %d", name, need, period, p.failures())
}

func (c Compose) advice(ms float64) string {
	start := Start{Ready: []Span{{ms, ms + 1}}, EndMS: ms + 1}
	lasts := c.StartPeriod.MS() + c.retrying()
	if c.StartPeriod <= 0 { // the first check comes after an interval
		lasts = c.pause(false) + c.retrying()
	}
	switch survives := c.fate(start).State == Survives; {
	case survives && ms <= lasts:
		return fmt.Sprintf("healthcheck: it is given %s, and %s is needed", seconds(lasts), seconds(ms))
	case survives: // by where its checks fall
		return ""
	}
	return fmt.Sprintf("healthcheck needs start_period: %s, and has %s", whole(c.startPeriodFor(ms)), seconds(c.StartPeriod.MS()))
}

func (u Systemd) advice(ms float64) string {
	if limit := u.timeout(); limit > 0 && limit < ms {
		return fmt.Sprintf("the unit needs TimeoutStartSec=%s, and has %s", whole(ms), u.limitWords())
	}
	return fmt.Sprintf("TimeoutStartSec=%s is needed, and it is %s", whole(ms), u.limitWords())
}
