package experiments

import "github.com/chaos-startup/chaos/contracts"

// ChecklistItem is one validation that the service must pass before it may serve.
type ChecklistItem struct {
	Name      string   `yaml:"name"`
	Why       string   `yaml:"why"`
	CoveredBy []Cover  `yaml:"covered_by"` // as written
	Required  bool     `yaml:"required"`   // default true; false: it is told, and blocks nothing
	Tags      []string `yaml:"tags"`

	Covers []contracts.Cover `yaml:"-"` // what CoveredBy names in this file, each once; none: the item is not covered
}

// Cover names what shows an item. Exactly one field is set.
type Cover struct {
	Experiment string `yaml:"experiment"` // its name, or /regexp/ for every experiment whose name matches
	Proof      string `yaml:"proof"`
	Contract   string `yaml:"contract"`
	Invariant  string `yaml:"invariant"`
	Any        string `yaml:"-"` // a bare name: whatever has it
}

// Coverage is what a plan can show of one item of the checklist.
type Coverage struct {
	ChecklistItem
	Shown []Shown // in the order of Covers
}

// Shown is how much of a cover is in a plan.
type Shown struct {
	contracts.Cover
	Trials int // of the whole file that must show it, controls included
	Chosen int // of them in the plan
}

// Covered reports whether everything that the item names is in the plan.
func (c Coverage) Covered() bool {
	for _, s := range c.Shown {
		if s.Chosen < s.Trials {
			return false
		}
	}
	return len(c.Shown) > 0
}

// Coverage tells for each item of the checklist what of it the plan shows. Where --only or a shard chose trials, the others are
// counted as missing. Texts are masked.
func (p *Plan) Coverage() []Coverage {
	mask := Mask(p.File.Masked)
	whole, chosen := map[contracts.Cover]int{}, map[contracts.Cover]int{}
	for _, item := range p.File.Checklist {
		for _, c := range item.Covers {
			whole[c], chosen[c] = 0, 0
		}
	}
	p.File.countTrials(p.repeat, whole)
	for _, t := range p.Trials {
		count(chosen, t, 1)
	}
	out := make([]Coverage, len(p.File.Checklist))
	for i, item := range p.File.Checklist {
		out[i].ChecklistItem = item
		out[i].Name, out[i].Why = mask(item.Name), mask(item.Why)
		out[i].Tags = nil
		for _, tag := range item.Tags {
			out[i].Tags = append(out[i].Tags, mask(tag))
		}
		for _, c := range item.Covers {
			out[i].Shown = append(out[i].Shown, Shown{Cover: c, Trials: whole[c], Chosen: chosen[c]})
		}
	}
	return out
}

// countTrials adds to each cover how many trials of the whole file must show it.
func (f *File) countTrials(repeat int, covers map[contracts.Cover]int) {
	if len(covers) == 0 {
		return
	}
	byStart, control := map[string]int{}, Trial{}
	f.each(Selection{Repeat: repeat}, func(_ string, t Trial) bool {
		byStart[t.Start]++
		count(covers, t, 1)
		control = t
		return true
	})
	control.Experiment, control.Control, control.Expect, control.Invariants = "", true, contracts.Expectation{}, f.Invariants
	for _, n := range byStart {
		count(covers, control, (n+controlEvery-1)/controlEvery)
	}
}

func count(covers map[contracts.Cover]int, t Trial, n int) {
	spec := t.Spec()
	for c := range covers {
		if c.In(t.Experiment, spec) {
			covers[c] += n
		}
	}
}
