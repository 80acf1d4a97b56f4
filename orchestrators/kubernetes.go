package orchestrators

import (
	"cmp"
	"fmt"
	"slices"
)

// Kubernetes is what a Pod's manifest says of one container, in Kubernetes' own words.
// https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
type Kubernetes struct {
	Source                        string `json:"source,omitempty"` // where it was imported from, for messages
	StartupProbe                  *Probe `json:"startupProbe,omitempty"`
	LivenessProbe                 *Probe `json:"livenessProbe,omitempty"`
	ReadinessProbe                *Probe `json:"readinessProbe,omitempty"`
	RestartPolicy                 string `json:"restartPolicy,omitempty"`                 // Always (default), OnFailure or Never
	TerminationGracePeriodSeconds *int   `json:"terminationGracePeriodSeconds,omitempty"` // default 30

	Ports []string `json:"ports,omitempty"` // of an imported one: the numbers that its container declares
}

// Probe is when a container is asked. Zero fields are Kubernetes' defaults: period 10, timeout 1, thresholds 1 and 3.
type Probe struct {
	InitialDelaySeconds int      `json:"initialDelaySeconds,omitempty"`
	PeriodSeconds       int      `json:"periodSeconds,omitempty"`
	TimeoutSeconds      int      `json:"timeoutSeconds,omitempty"`
	SuccessThreshold    int      `json:"successThreshold,omitempty"`
	FailureThreshold    int      `json:"failureThreshold,omitempty"`
	HTTPGet             *HTTPGet `json:"httpGet,omitempty"`
	How                 string   `json:"how,omitempty" yaml:"-"` // of an imported one that asks otherwise: tcpSocket, exec or grpc
}

// HTTPGet is what a probe asks over HTTP.
type HTTPGet struct {
	Path string `json:"path,omitempty"`
	Port string `json:"port,omitempty" yaml:"-"` // of an imported one: a number of the container, or a name that it does not declare
}

func (g HTTPGet) path() string { return cmp.Or(g.Path, "/") }

// The names of a container's probes, as Start.Answers knows them.
const (
	StartupProbe   = "startupProbe"
	LivenessProbe  = "livenessProbe"
	ReadinessProbe = "readinessProbe"
)

func or(v, standard int) int {
	if v == 0 {
		return standard
	}
	return v
}

func (p Probe) period() float64  { return float64(or(p.PeriodSeconds, 10)) * 1000 }
func (p Probe) timeout() float64 { return float64(or(p.TimeoutSeconds, 1)) * 1000 }
func (p Probe) delay() float64   { return float64(p.InitialDelaySeconds) * 1000 }
func (p Probe) failures() int    { return or(p.FailureThreshold, 3) }
func (p Probe) successes() int   { return or(p.SuccessThreshold, 1) }

// budget is how long Kubernetes' documentation says that a probe gives a start: initialDelaySeconds + failureThreshold x periodSeconds.
func (p Probe) budget() float64 { return p.delay() + float64(p.failures())*p.period() }

// words tells what a probe gives: "startupProbe: 3 failures x 10 s".
func (p Probe) words(name string) string {
	text := fmt.Sprintf("%s: %d failures x %d s", name, p.failures(), or(p.PeriodSeconds, 10))
	if p.InitialDelaySeconds > 0 {
		text += fmt.Sprintf(" after %d s", p.InitialDelaySeconds)
	}
	return text
}

// Named returns the probes of the container by their names, those that it has.
func (k Kubernetes) Named() map[string]Probe {
	out := map[string]Probe{}
	for name, p := range map[string]*Probe{StartupProbe: k.StartupProbe, LivenessProbe: k.LivenessProbe, ReadinessProbe: k.ReadinessProbe} {
		if p != nil {
			out[name] = *p
		}
	}
	return out
}

// alignments is how many places the kubelet's ticks are tried in: they have no fixed distance from the start of a container.
const alignments = 40

// course is how one start goes with the ticks in one place.
type course struct {
	killed  bool
	at      float64 // of the kill, or when the start was over for its startupProbe
	by      string  // which probe
	unknown bool    // it was not watched long enough
}

// fate tries the start with the ticks in every place. An attempt counts as failed for sure only if it was answered no until its timeout.
func (k Kubernetes) fate(s Start) Fate {
	strict, lenient := k.courses(s, false), k.courses(s, true)
	isKilled, isNot := func(c course) bool { return c.killed }, func(c course) bool { return !c.killed }
	switch {
	case !slices.ContainsFunc(lenient, isNot):
		return k.killed(s, strict, lenient)
	case s.Exit != nil:
		return k.exited(s)
	case slices.ContainsFunc(strict, isKilled):
		return k.perhaps(s, strict, !slices.ContainsFunc(strict, isNot))
	case k.unasked(s) != "":
		return Fate{State: Open, Next: "let service.ready ask the port that the " + k.unasked(s) + " asks", Text: "Kubernetes may have killed it or not: " +
			s.Unasked[k.unasked(s)] + "; " + s.readyWords()}
	case slices.ContainsFunc(strict, func(c course) bool { return c.unknown }):
		p := *k.StartupProbe
		return Fate{State: Open, Next: "raise service.budget beyond " + seconds(p.budget()),
			Text: fmt.Sprintf("%s, and Kubernetes would have waited until %s (%s): it was not watched for long enough", s.readyWords(), seconds(p.budget()),
				p.words(StartupProbe))}
	case k.dying(s) != "":
		return Fate{State: Open, Next: "let " + LivenessProbe + " be answered yes, or watch it for longer (traffic, or an injection with a longer for:)",
			Text: "Kubernetes may go on to kill it: " + k.dying(s) + "; " + s.readyWords()}
	}
	return Fate{State: Survives, Text: k.survives(s)}
}

// dying says that the livenessProbe, asked on a path of its own, says no when watching ends; "" when it does not.
func (k Kubernetes) dying(s Start) string {
	yes, asked := s.Answers[LivenessProbe]
	switch {
	case k.LivenessProbe == nil || !asked || s.stands(LivenessProbe):
		return ""
	case len(yes) == 0:
		return fmt.Sprintf("its livenessProbe was not answered yes once in %s", seconds(s.over()))
	}
	return fmt.Sprintf("its livenessProbe is not answered yes any more from %s on, and it was watched until %s", seconds(yes[len(yes)-1].To), seconds(s.over()))
}

// courses tries every place of the ticks. Whether an attempt that fails does so at once or hangs until its timeout is not known. Strict attempts
// fail at once; lenient ones hang, hold when they are answered at any time within their timeout, and keep the next one waiting.
func (k Kubernetes) courses(s Start, lenient bool) []course {
	out := make([]course, 0, alignments)
	for i := range alignments {
		out = append(out, k.course(s, float64(i)/(alignments-1), lenient))
	}
	return out
}

// course follows one start, with the ticks of each probe a share of its period after the earliest moment possible.
func (k Kubernetes) course(s Start, share float64, lenient bool) course {
	started := 0.0
	if s.Unasked[StartupProbe] != "" && k.StartupProbe != nil {
		return course{unknown: true} // nothing else is asked before it holds
	}
	if p := k.StartupProbe; p != nil {
		c := attempts(*p, s.answers(StartupProbe), p.delay()+share*p.period(), s.over(), lenient, true)
		if c.unknown && s.stands(StartupProbe) { // it is asked only later, and goes on to say yes
			c.unknown = false
		}
		if c.by = StartupProbe; c.killed || c.unknown {
			return c
		}
		started = c.at
	}
	if p := k.LivenessProbe; p != nil && s.Unasked[LivenessProbe] == "" {
		c := attempts(*p, s.answers(LivenessProbe), max(p.delay(), started)+share*p.period(), s.over(), lenient, false)
		if c.by = LivenessProbe; c.killed {
			return c
		}
	}
	return course{at: started}
}

// attempts asks a probe from first on until it decides or nothing more was seen. A startup probe ends with its first success.
// https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/prober/worker.go (doProbe)
func attempts(p Probe, yes []Span, first, over float64, lenient, startup bool) course {
	failed, lasts := 0, 0.0
	if lenient {
		lasts = p.timeout()
	}
	for t := first; t <= over; {
		ended, held := firstYes(yes, t, t+lasts)
		switch {
		case held && startup:
			return course{at: ended}
		case held:
			failed = 0
		default:
			ended = t + lasts
			if failed++; failed >= p.failures() && ended <= over {
				return course{killed: true, at: ended}
			}
		}
		t = max(t+p.period(), ended) // one at a time: a tick that comes meanwhile waits
	}
	return course{unknown: startup, at: over}
}

// span tells when the kill comes, of all places of the ticks.
func span(all []course) (earliest, latest float64, by string) {
	earliest = -1
	for _, c := range all {
		if !c.killed {
			continue
		}
		if earliest < 0 || c.at < earliest {
			earliest = c.at
		}
		latest, by = max(latest, c.at), c.by
	}
	return earliest, latest, by
}

// killed tells a certain kill: at the latest when every attempt hangs, and sooner when none does.
func (k Kubernetes) killed(s Start, strict, lenient []course) Fate {
	earliest, latest, by := span(lenient)
	if sooner, _, too := span(strict); too == by {
		earliest = min(earliest, sooner)
	}
	p := k.Named()[by]
	text := fmt.Sprintf("Kubernetes would have killed it at %s (%s), ", seconds(latest), p.words(by))
	if latest-earliest >= 100 {
		text = fmt.Sprintf("Kubernetes would have killed it at %s at the latest, perhaps at %s already (%s), ", seconds(latest), seconds(earliest), p.words(by))
	}
	return Fate{State: Killed, Text: text + s.readyWords() + "; " + k.loop(latest, s), Next: k.next(s, by)}
}

// perhaps tells a kill that depends on when attempts come, or, if they fail wherever the ticks fall, on how long they take.
func (k Kubernetes) perhaps(s Start, strict []course, everywhere bool) Fate {
	earliest, latest, by := span(strict)
	when := "at " + seconds(earliest)
	if latest-earliest >= 100 {
		when = fmt.Sprintf("between %s and %s", seconds(earliest), seconds(latest))
	}
	p := k.Named()[by]
	why := "when the kubelet first asks, which may be at any time within periodSeconds"
	if everywhere {
		why = fmt.Sprintf("how long an attempt takes that is not answered yes at once, up to timeoutSeconds (%s)", seconds(p.timeout()))
	}
	return Fate{State: Open, Next: k.next(s, by),
		Text: fmt.Sprintf("Kubernetes may have killed it %s (%s), %s: it depends on %s", when, p.words(by), s.readyWords(), why)}
}

// next says what would have let it live.
func (k Kubernetes) next(s Start, by string) string {
	yes := s.answers(by)
	_, own := s.Answers[by]
	switch {
	case own && len(yes) == 0:
		return fmt.Sprintf("see what its %s asks (path and port): it was not answered yes once", by)
	case !s.stands(by):
		return "let it be ready sooner, and stay so, or give it longer: " + by + ".failureThreshold"
	}
	need := k.Named()[by].thresholdFor(yes[len(yes)-1].From)
	if by == LivenessProbe && k.StartupProbe == nil {
		return fmt.Sprintf("add a startupProbe with failureThreshold >= %d and periodSeconds %d, or raise failureThreshold of the livenessProbe", need,
			or(k.LivenessProbe.PeriodSeconds, 10))
	}
	return fmt.Sprintf("%s.failureThreshold >= %d with periodSeconds %d", by, need, or(k.Named()[by].PeriodSeconds, 10))
}

// thresholdFor is the smallest failureThreshold that lets a start live which answers yes from ready on, wherever the ticks fall.
func (p Probe) thresholdFor(ready float64) int {
	need := 1
	for t := p.delay(); t < ready; t += p.period() {
		need++
	}
	return need
}

// survives says why nothing would have killed it, and from when on it would have got traffic.
func (k Kubernetes) survives(s Start) string {
	text := "Kubernetes would not have killed it: "
	switch {
	case k.StartupProbe == nil && k.LivenessProbe == nil:
		text = "Kubernetes would not have killed it: it has neither startupProbe nor livenessProbe; "
	case k.StartupProbe != nil:
		text += k.StartupProbe.words(StartupProbe) + ", "
	default:
		text += k.LivenessProbe.words(LivenessProbe) + ", "
	}
	return text + s.readyWords() + k.traffic(s) + k.standIn(s)
}

// traffic says from when on Kubernetes would have sent requests.
func (k Kubernetes) traffic(s Start) string {
	if k.ReadinessProbe == nil {
		if k.StartupProbe != nil {
			return "; without a readinessProbe it would have got traffic as soon as its startupProbe held"
		}
		return "; without a readinessProbe it would have got traffic from its start on, ready or not"
	}
	if s.Unasked[ReadinessProbe] != "" {
		return ""
	}
	p := *k.ReadinessProbe
	for _, yes := range s.answers(ReadinessProbe) {
		from := max(yes.From, p.delay()) + float64(p.successes()-1)*p.period()
		return fmt.Sprintf("; traffic from %s to %s on (readinessProbe: every %d s)", seconds(from), seconds(from+p.period()), or(p.PeriodSeconds, 10))
	}
	return ""
}

// standIn says for which probes the service's own ready probe stood.
func (k Kubernetes) standIn(s Start) string {
	var names []string
	for _, name := range []string{StartupProbe, LivenessProbe} {
		p, has := k.Named()[name]
		if _, asked := s.Answers[name]; has && !asked && p.How != "" {
			names = append(names, p.How+" of its "+name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; service.ready stands for the " + list(names)
}
