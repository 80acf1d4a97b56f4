package experiments

import (
	"time"

	"github.com/chaos-startup/chaos/probes"
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
	if p.serial() {
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

// Bound is how long the trial takes at most: its budget, what it goes on for once it is ready, and the grace; twice where it starts again.
func (t *Trial) Bound() time.Duration {
	total := t.Service.Budget.D() + t.AfterReady() + t.Service.Stop.Grace.D() + perTrial
	if t.Stop != nil {
		total += t.Stop.After.D()
	}
	if t.ThenRestart != nil {
		again := t.ThenRestart.Within.D()
		if again == 0 {
			again = t.Service.Budget.D()
		}
		total += again + t.AfterReady() + t.Service.Stop.Grace.D()
	}
	return total
}

// forProofs is how long a trial goes on at most, besides what their timing words say, because proofs fail.
const forProofs = 6 * time.Second

// AfterReady bounds how long a ready service is watched beyond its budget: until the longest fault is over and every proof was tried, which
// are asked side by side, and until the load is.
func (t *Trial) AfterReady() time.Duration {
	var faults, proofs, alone, load time.Duration
	for _, in := range t.Inject {
		faults = max(faults, in.After.D()+in.For.D())
	}
	for i := range t.Readiness {
		d := attempts(&t.Readiness[i].Spec)
		if t.Readiness[i].Alone() {
			alone += d
		} else {
			proofs = max(proofs, d)
		}
	}
	if t.Traffic != nil {
		for _, step := range t.Traffic.Steps {
			load = max(load, step.Timing().Timeout)
		}
		load += t.Traffic.For.D()
	}
	return max(faults+proofs+alone, load) + forProofs
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
