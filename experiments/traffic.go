package experiments

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// Traffic is production-like use of the service: how much, from when, of which kinds, and what is asked of it.
type Traffic struct {
	Users    int               `yaml:"users"`    // each begins a request every Pace
	Pace     timeline.Duration `yaml:"pace"`     // default 1s
	Rate     Rate              `yaml:"rate"`     // or requests per second
	Arrivals string            `yaml:"arrivals"` // constant (default) or poisson
	Stampede int               `yaml:"stampede"` // requests all at once at the claim to be ready
	For      timeline.Duration `yaml:"for"`      // after the claim; default 5s
	From     string            `yaml:"from"`     // ready (default) or start
	Steps    []TrafficStep     `yaml:"steps"`    // in a file that is loaded: never empty
	SLA      SLA               `yaml:"sla"`
	MaxLag   timeline.Duration `yaml:"max_lag"` // of the generator; in a file that is loaded: never 0
}

// Rate is a number per second; in a file "20/s" or the number alone.
type Rate float64

// TrafficStep is one kind of request: a probe of one attempt, and how often it is chosen beside others.
type TrafficStep struct {
	Name        string `yaml:"name"`   // default: its kind
	Weight      int    `yaml:"weight"` // default 1
	probes.Spec `yaml:",inline"`
}

// SLA is what is asked of the answers after the claim. A percentile of 0 is not asked for.
type SLA struct {
	P50    timeline.Duration `yaml:"p50"`
	P95    timeline.Duration `yaml:"p95"`
	P99    timeline.Duration `yaml:"p99"`
	Errors float64           `yaml:"errors"` // share of the requests; default 0
}

// Bounds of a load.
const (
	maxTrafficTotal = 1_000_000
	maxTrafficRate  = 10_000
	leastMaxLag     = 20 * time.Millisecond
	defaultMaxLag   = 250 * time.Millisecond // without a limit on latencies
)

// PerSecond is the mean rate; 0 where there is only a stampede.
func (t *Traffic) PerSecond() float64 {
	if t.Users > 0 && t.Pace > 0 {
		return float64(t.Users) / t.Pace.D().Seconds()
	}
	return float64(t.Rate)
}

// String words the load: "10 users for 5s from ready".
func (t *Traffic) String() string {
	var parts []string
	switch {
	case t.Users > 0:
		parts = append(parts, fmt.Sprintf("%d users, each every %s", t.Users, short(t.Pace)))
	case t.Rate > 0:
		parts = append(parts, fmt.Sprintf("%g requests a second", float64(t.Rate)))
	}
	if len(parts) > 0 {
		from := " from ready"
		if t.From == "start" {
			from = " after ready, and from the start"
		}
		parts[0] += ", for " + short(t.For) + from
	}
	if t.Stampede > 0 {
		parts = append(parts, fmt.Sprintf("a stampede of %d", t.Stampede))
	}
	return strings.Join(parts, "; ")
}

// spec is what judging needs of the load.
func (t *Traffic) spec() *contracts.Traffic {
	if t == nil {
		return nil
	}
	return &contracts.Traffic{
		Text: t.String(), FromStart: t.From == "start", P50: t.SLA.P50, P95: t.SLA.P95, P99: t.SLA.P99, Errors: t.SLA.Errors, MaxLag: t.MaxLag,
	}
}

// trafficOf is the load of the trials of one cell. An experiment made in Go that says nothing has the file's.
func (f *File) trafficOf(e Experiment) *Traffic {
	if e.Traffic == nil && !e.quiet {
		return f.Traffic
	}
	return e.Traffic
}

// overlaidTraffic decodes the file's traffic with the experiment's laid over it; no value at all means none.
func (l *loader) overlaidTraffic(d *decoder, n *yaml.Node, path string, axes []string, e *Experiment) {
	switch {
	case n == nil:
		return
	case isNull(n):
		e.quiet = true
		return
	case n.Kind != yaml.MappingNode:
		l.add(n, "the traffic is a mapping, not "+describe(n), "only the fields that change", "write `~` for none")
		return
	}
	merged := n
	if base := child(l.root, "traffic"); base != nil {
		if child(n, "rate") != nil && !isNull(child(n, "rate")) {
			base = without(base, "users", "pace") // instead of them
		}
		if child(n, "users") != nil && !isNull(child(n, "users")) {
			base = without(base, "rate")
		}
		merged = overlay(base, n, map[string]bool{"sla": true})
	}
	path += ".traffic"
	d.places[path] = place{nil, n}
	var t Traffic
	d.structure(merged, reflect.ValueOf(&t).Elem(), path)
	scope := l.trialScope(sortedKeys(l.f.Service.Files), "in the traffic")
	scope.axes = axes
	scope.check(l.reporter, merged)
	l.validateTraffic(d, path, &t)
	e.Traffic = &t
}

// rateHook reads a number, or a number with /s behind it.
func rateHook(d *decoder, n *yaml.Node, v reflect.Value, _ string) {
	text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(n.Value), "/s"))
	if n.Kind == yaml.ScalarNode && ratePattern.MatchString(text) {
		if f, err := strconv.ParseFloat(text, 64); err == nil && f > 0 && f <= maxTrafficRate {
			v.SetFloat(f)
			return
		}
	}
	d.add(n, "a rate is needed here, not "+describe(n), fmt.Sprintf("requests per second above 0, up to %d: 100/s", maxTrafficRate), "")
}

// validateTraffic checks a load and completes it: its steps, their names, and how late the generator may be.
func (l *loader) validateTraffic(d *decoder, at string, t *Traffic) {
	here := d.at(at)
	switch {
	case t.Users > 0 && t.Rate > 0:
		d.add(d.keyAt(at+".rate"), "the traffic has users and rate", "one of them: `users` with their `pace`, or `rate`", "")
	case t.Users == 0 && t.Rate == 0 && t.Stampede == 0 && !strange(here, shapes()[reflect.TypeFor[Traffic]()]) && !l.problemsWithin(here):
		d.addFirst(here, "the traffic sends nothing", "`users`, `rate` or `stampede`", "")
	}
	if d.has(at+".pace") && t.Users == 0 {
		d.add(d.keyAt(at+".pace"), "`pace` is that of users, and there are none", "`users`, or only `rate`", "")
	}
	if d.has(at+".pace") && t.Pace.D() < time.Millisecond {
		d.addFirst(d.at(at+".pace"), "nobody is that fast", "1ms or more", "")
	}
	if rate := t.PerSecond(); rate > maxTrafficRate || rate*t.For.D().Seconds() > maxTrafficTotal {
		d.addFirst(here, fmt.Sprintf("that is %.0f requests a second for %s", rate, short(t.For)),
			fmt.Sprintf("at most %d a second, and %d in all", maxTrafficRate, maxTrafficTotal), "")
	}
	if len(t.Steps) == 0 {
		t.Steps = l.proofsAsSteps()
		if len(t.Steps) == 0 {
			d.addFirst(here, "the traffic has no steps", "`steps`, or http or websocket proofs under `readiness`, which are taken where there are none", "")
		}
	}
	for i := range t.Steps {
		l.validateTrafficStep(d, fmt.Sprintf("%s.steps[%d]", at, i), i, t.Steps)
	}
	if t.MaxLag == 0 {
		t.MaxLag = timeline.Duration(t.SLA.lag())
	}
}

// lag is how late the generator may be by default: a fifth of the shortest latency that is asked for.
func (s SLA) lag() time.Duration {
	limits := slices.DeleteFunc([]time.Duration{s.P50.D(), s.P95.D(), s.P99.D()}, func(d time.Duration) bool { return d == 0 })
	if len(limits) == 0 {
		return defaultMaxLag
	}
	return max(leastMaxLag, slices.Min(limits)/5)
}

func (l *loader) validateTrafficStep(d *decoder, at string, i int, steps []TrafficStep) {
	step := &steps[i]
	if step.Name == "" {
		kind, _ := step.Kind()
		step.Name = kind
		if i > 0 && slices.ContainsFunc(steps[:i], func(s TrafficStep) bool { return s.Name == kind }) {
			step.Name = fmt.Sprintf("%s %d", kind, i+1)
		}
	} else if slices.ContainsFunc(steps[:i], func(s TrafficStep) bool { return s.Name == step.Name }) {
		d.addFirst(d.at(at+".name"), fmt.Sprintf("the step %q is there twice", step.Name), "a name of its own for each", "")
	}
	if !d.has(at) {
		return // a proof that stands in
	}
	for _, word := range []string{"then", "capture", "parallel", "initial_delay", "interval", "within", "success_threshold", "failure_threshold"} {
		if d.has(at + "." + word) {
			d.add(d.keyAt(at+"."+word), fmt.Sprintf("a step of traffic is one request: it has no `%s`", word), "only `timeout`", "")
		}
	}
	for _, kind := range []string{"exec", "log"} {
		if d.has(at + "." + kind) {
			d.add(d.keyAt(at+"."+kind), fmt.Sprintf("`%s` is no request to the service", kind), "http, websocket, grpc, tcp, or another kind that connects", "")
			return
		}
	}
	if d.has(at + ".http.rate_limit") {
		d.add(d.keyAt(at+".http.rate_limit"), "a step of traffic is one request, and `rate_limit` sends many", "a proof under `readiness`", "")
	}
	l.validateProbe(d, at, &step.Spec)
}

// proofsAsSteps are the proofs that one request can hold: those over HTTP, WebSocket and gRPC that hold at once, without what comes then.
func (l *loader) proofsAsSteps() []TrafficStep {
	var out []TrafficStep
	for _, p := range l.f.Readiness {
		many := p.HTTP != nil && p.HTTP.RateLimit != nil || p.Parallel > 1
		if p.Within > 0 || many || p.HTTP == nil && p.WebSocket == nil && p.GRPC == nil {
			continue
		}
		out = append(out, TrafficStep{Name: p.Name, Weight: 1, Spec: probes.Spec{
			HTTP: p.HTTP, WebSocket: p.WebSocket, GRPC: p.GRPC, Timeout: p.Timeout, SuccessThreshold: 1, FailureThreshold: 1,
		}})
	}
	return out
}
