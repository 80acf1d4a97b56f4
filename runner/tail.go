package runner

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/probes"
)

// tail keeps the last lines of a process' output, and those that its ready probe looks for: a server that says that it is up may
// have said much more before anybody asks.
type tail struct {
	mu     sync.Mutex
	lines  []string
	wanted []*regexp.Regexp
	met    map[string]string // the first line that matched, by expression
}

// want names the lines that a ready probe will ask for.
func (t *tail) want(spec *probes.Spec) error {
	for ; spec != nil; spec = spec.Then {
		if spec.Log == "" {
			continue
		}
		re, err := regexp.Compile(spec.Log)
		if err != nil {
			return fmt.Errorf("its ready probe: log: %w", err)
		}
		t.wanted = append(t.wanted, re)
	}
	t.met = map[string]string{}
	return nil
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line = phases.Strip(line)
	for _, re := range t.wanted {
		if _, met := t.met[re.String()]; !met && re.MatchString(line) {
			t.met[re.String()] = line
		}
	}
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

// find answers log probes.
func (t *tail) find(re *regexp.Regexp) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line, met := t.met[re.String()]
	return line, met
}

// String returns the lines indented, or a sentence when there are none.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return "  (it printed nothing)"
	}
	return "  " + strings.Join(t.lines, "\n  ")
}
