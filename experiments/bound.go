package experiments

import (
	"net"
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// perTrial is what a trial may take besides what the file says: ports, proxies, launch, kill and clean-up.
const perTrial = 2 * time.Second

// Bound is how long the trials of the plan take at most, parallel of them side by side (0: as the file says, or 1). The build and
// the start of the dependencies are not in it. It is the bound of list scheduling: the sum shared out, and the longest one on top
// (R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969).
func (p *Plan) Bound(parallel int) time.Duration {
	if parallel <= 0 {
		parallel = max(1, p.File.Parallel)
	}
	if p.File.FixedListen() {
		parallel = 1
	}
	var sum, longest time.Duration
	for i := range p.Trials {
		d := p.Trials[i].Bound()
		sum += d
		longest = max(longest, d)
	}
	if parallel == 1 || len(p.Trials) <= 1 {
		return sum
	}
	if len(p.Trials) <= parallel {
		return longest
	}
	return sum/time.Duration(parallel) + longest*time.Duration(parallel-1)/time.Duration(parallel)
}

// Bound is how long the trial takes at most: its budget, the windows of its faults, of its proofs and of what is expected, and the grace.
func (t *Trial) Bound() time.Duration {
	total := t.Service.Budget.D() + window(t.Expect) + t.Service.Stop.Grace.D() + perTrial
	var faults time.Duration
	for _, in := range t.Inject {
		faults = max(faults, in.After.D()+in.For.D())
	}
	for i := range t.Readiness {
		total += attempts(&t.Readiness[i].Spec)
	}
	if t.Stop != nil {
		total += t.Stop.After.D()
	}
	total += faults
	if t.ThenRestart != nil {
		again := t.ThenRestart.Within.D()
		if again == 0 {
			again = t.Service.Budget.D()
		}
		total += again + t.Service.Stop.Grace.D()
		for i := range t.Readiness {
			total += attempts(&t.Readiness[i].Spec)
		}
	}
	return total
}

// FixedListen tells whether a proxy has a fixed port, so that trials must run one after the other.
func (f *File) FixedListen() bool {
	for _, d := range f.Dependencies {
		if _, port, err := net.SplitHostPort(d.Listen); err == nil && port != "0" {
			return true
		}
	}
	return false
}

// window is the longest time that an expectation may wait.
func window(e contracts.Expectation) time.Duration {
	var longest timeline.Duration
	switch {
	case e.FailFast != nil:
		longest = e.FailFast.Within
	case e.GiveUp != nil:
		longest = e.GiveUp.Within
	case e.Recover != nil:
		longest = e.Recover.Within
	case e.Tolerate != nil:
		longest = e.Tolerate.Within
	case e.Degrade != nil:
		longest = e.Degrade.Within
	case e.Stop != nil:
		longest = e.Stop.Within
	}
	out := longest.D()
	for _, list := range [][]contracts.Expectation{e.AnyOf, e.AllOf} {
		for _, c := range list {
			out = max(out, window(c))
		}
	}
	return out
}

// attempts is how long a probe may take with all its attempts.
func attempts(p *probes.Spec) time.Duration {
	t := p.Timing()
	d := t.Within
	if d == 0 {
		d = (t.Timeout + t.Interval) * time.Duration(t.SuccessThreshold+t.FailureThreshold-1)
	}
	if p.Then != nil {
		d += attempts(p.Then)
	}
	return d
}
