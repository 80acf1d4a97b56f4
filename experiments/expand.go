package experiments

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/chaos-startup/chaos/contracts"
)

// Selection says which trials of a file are meant. The zero value means all, as the file says.
type Selection struct {
	Only          *regexp.Regexp // matched against the title of a trial and the name of its experiment
	Seed          *uint64        // of the run; nil: the file's, or 1
	Repeat        int            // 0: as in the file
	Shard, Shards int            // part Shard (from 1) of Shards; 0: no parts. Parts differ by at most one trial, in an order of chance
}

const (
	maxTrials    = 50_000    // of a plan
	maxSharded   = 1_000_000 // of all shards together
	controlEvery = 20        // trials with the same start key between two of its controls
)

// Expand turns the file into the plan of a run: a control before the first trial of each way to start the service, and again every 20 trials
// of it; then experiments in the order of the file, cells in the order of their axes, repeats. An error says what was
// asked for that does not exist.
func (f *File) Expand(s Selection) (*Plan, error) {
	if s.Shards < 0 || s.Shard < 0 || s.Shard > s.Shards || (s.Shards > 0 && s.Shard == 0) {
		return nil, fmt.Errorf("shard %d/%d: parts are numbered from 1/%d to %d/%d", s.Shard, s.Shards, s.Shards, s.Shards, s.Shards)
	}
	if s.Repeat < 0 || s.Repeat > 10_000 {
		return nil, fmt.Errorf("repeat %d: from 1 to 10000", s.Repeat)
	}
	p := &Plan{File: f, Seed: 1, repeat: s.Repeat}
	if f.Seed != nil {
		p.Seed = *f.Seed
	}
	if s.Seed != nil {
		p.Seed = *s.Seed
	}
	chosen, matched, err := f.trials(p.Seed, s)
	if err != nil {
		return nil, err
	}
	controlsOnly := matched == 0 && s.Only != nil // perhaps a control is meant, to play a failed one again
	if controlsOnly {
		if chosen, _, err = f.trials(p.Seed, Selection{Repeat: s.Repeat}); err != nil {
			return nil, err
		}
	}
	p.Trials = f.withControls(chosen, p.Seed)
	if controlsOnly {
		p.Trials = slices.DeleteFunc(p.Trials, func(t Trial) bool { return !t.Control || !s.Only.MatchString(t.Title()) })
		if len(p.Trials) == 0 {
			return nil, f.nothingSelected(s.Only.String())
		}
	}
	return p, nil
}

// trials returns the trials that s selects, without controls, and how many there are in all shards.
func (f *File) trials(seed uint64, s Selection) (out []Trial, matched int, err error) {
	var keys []uint64
	if s.Shards > 1 {
		f.each(s, func(title string, _ Trial) bool {
			keys = append(keys, hash("shard", title))
			return len(keys) <= maxSharded
		})
		if len(keys) > maxSharded {
			return nil, 0, fmt.Errorf("these are more than %d trials: take values out of a matrix, or lower `repeat`", maxSharded)
		}
		slices.Sort(keys)
	}
	f.each(s, func(title string, t Trial) bool {
		matched++
		if s.Shards > 1 {
			if rank, _ := slices.BinarySearch(keys, hash("shard", title)); rank%s.Shards != s.Shard-1 {
				return true
			}
		}
		if len(out) == maxTrials {
			err = fmt.Errorf("these are more than %d trials: take values out of a matrix, lower `repeat`, or run a part with --shard", maxTrials)
			return false
		}
		t.Seed = hash(strconv.FormatUint(seed, 10), t.Experiment, cellText(t.Cell), strconv.Itoa(t.Repeat))
		out = append(out, t)
		return true
	})
	return out, matched, err
}

// each calls yield with every trial of all shards that s selects, in order, until it says no. The seed is not set.
func (f *File) each(s Selection, yield func(title string, t Trial) bool) {
	for _, e := range f.Experiments {
		for _, c := range e.all() {
			t := f.trial(e.Name, c)
			if s.Repeat > 0 {
				t.Repeats = s.Repeat
			}
			for t.Repeat = 1; t.Repeat <= t.Repeats; t.Repeat++ {
				title := t.Title()
				if s.Only != nil && !s.Only.MatchString(title) && !s.Only.MatchString(t.Experiment) {
					continue
				}
				if !yield(title, t) {
					return
				}
			}
		}
	}
}

// all returns the cells; an Experiment that was made in Go is its own only one.
func (e Experiment) all() []cell {
	if len(e.cells) > 0 {
		return e.cells
	}
	return []cell{{experiment: e}}
}

func (f *File) trial(name string, c cell) Trial {
	e := c.experiment
	service := f.Service
	if e.Service != nil {
		service = *e.Service
	}
	return Trial{
		Experiment: name, Cell: c.axes, Repeats: max(1, e.Repeat), Start: startKey(service), Service: service,
		Dependencies: f.Dependencies, Phases: f.Phases, Readiness: f.Readiness, Traffic: f.trafficOf(e), Inject: e.Inject, Expect: e.Expect,
		Invariants: merged(f.Invariants, e.Invariants), AllowUnstable: e.AllowUnstable, Orchestrator: f.orchestrator(),
		Stop: e.Stop, ThenRestart: e.ThenRestart,
	}
}

// withControls puts a control before the first trial of each start key and before every 20th after it.
func (f *File) withControls(trials []Trial, seed uint64) []Trial {
	variant := f.variants()
	total := map[string]int{}
	for _, t := range trials {
		total[t.Start]++
	}
	out := make([]Trial, 0, len(trials)+len(trials)/controlEvery+len(total))
	seen := map[string]int{}
	for _, t := range trials {
		if seen[t.Start]%controlEvery == 0 {
			number := seen[t.Start]/controlEvery + 1
			out = append(out, Trial{
				Control: true, Repeat: number, Repeats: (total[t.Start] + controlEvery - 1) / controlEvery,
				Seed:  hash(strconv.FormatUint(seed, 10), "control", t.Start, strconv.Itoa(number)),
				Start: t.Start, Variant: variant[t.Start], Service: t.Service, Dependencies: f.Dependencies, Phases: f.Phases,
				Readiness: f.Readiness, Traffic: f.Traffic, Expect: contracts.Expectation{}, Invariants: f.Invariants,
				Orchestrator: f.orchestrator(),
			})
		}
		seen[t.Start]++
		out = append(out, t)
	}
	return out
}

// nothingSelected names the experiments that were probably meant.
func (f *File) nothingSelected(pattern string) error {
	names := make([]string, len(f.Experiments))
	for i, e := range f.Experiments {
		names[i] = e.Name
	}
	words := strings.Trim(pattern, "^$")
	near := slices.Clone(names)
	slices.SortStableFunc(near, func(a, b string) int { return farness(words, a) - farness(words, b) })
	near = near[:min(3, len(near))]
	for i, n := range near {
		near[i] = strconv.Quote(n)
	}
	return fmt.Errorf("--only %s selects no experiment; the nearest: %s", pattern, strings.Join(near, ", "))
}

// farness is how badly words match a name: words that the name lacks count most.
func farness(words, name string) int {
	missing := 0
	for _, w := range strings.Fields(strings.ToLower(words)) {
		if !strings.Contains(strings.ToLower(name), w) {
			missing++
		}
	}
	return missing*1000 + distance(fold(words), fold(name))
}

// startKey is the same for services that are started in the same way.
func startKey(s Service) string {
	data, err := json.Marshal(s)
	if err != nil { // values of `equals` are made of YAML: they can always be written
		panic("experiments: start key: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}

// hash is stable over runs, machines and versions. The parts are kept apart.
func hash(parts ...string) uint64 {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return binary.BigEndian.Uint64(sum[:8])
}

func cellText(axes []Axis) string {
	parts := make([]string, len(axes))
	for i, a := range axes {
		parts[i] = a.Name + "=" + a.Value
	}
	return strings.Join(parts, ", ")
}
