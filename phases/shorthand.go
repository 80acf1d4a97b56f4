package phases

import (
	"fmt"
	"regexp"
	"strings"
)

// shorthand is the form of one pattern that names every phase.
type shorthand struct {
	begins, ends *lineMatch
	byFold       map[string]string // spelling by lower-case name: of Order, or as first seen
}

// group is the name of the group that holds a phase's name.
const group = "phase"

func newShorthand(s Spec) (*shorthand, error) {
	begins, err := newNaming("pattern", s.Pattern)
	if err != nil {
		return nil, err
	}
	short := &shorthand{begins: begins, byFold: map[string]string{}}
	if s.Ends != "" {
		if short.ends, err = newNaming("ends", s.Ends); err != nil {
			return nil, err
		}
	}
	for _, name := range s.Order {
		fold := strings.ToLower(name)
		if other, ok := short.byFold[fold]; ok {
			return nil, fmt.Errorf("phases: order names %s twice (%s and %s)", fold, other, name)
		}
		if name == "" {
			return nil, fmt.Errorf("phases: order holds an empty name")
		}
		short.byFold[fold] = name
	}
	for name := range s.Budgets {
		if spelled, ok := short.byFold[strings.ToLower(name)]; len(s.Order) > 0 && (!ok || spelled != name) {
			return nil, fmt.Errorf("phases: budgets names %s, which order does not; expected one of %s", name, strings.Join(s.Order, ", "))
		}
	}
	return short, nil
}

// newNaming compiles a regular expression that must name a phase.
func newNaming(field, pattern string) (*lineMatch, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("phases: %s: %w", field, err)
	}
	if re.SubexpIndex(group) < 0 {
		return nil, fmt.Errorf(`phases: %s %s: expected a group named phase around the name, for example 'PHASE (?P<phase>\w+)'`, field, pattern)
	}
	return newLineMatch(re), nil
}

// name returns the phase that a line names.
func (m *lineMatch) name(line string) (string, bool) {
	if m == nil || !strings.Contains(line, m.literal) {
		return "", false
	}
	found := m.re.FindStringSubmatchIndex(line)
	i := m.re.SubexpIndex(group)
	if found == nil || found[2*i] < 0 {
		return "", false
	}
	name := strings.TrimSpace(line[found[2*i]:found[2*i+1]])
	return name, name != ""
}

// spell returns a name as Order, or the line that named it first, spells it.
func (s *shorthand) spell(name string) string {
	fold := strings.ToLower(name)
	if spelled, ok := s.byFold[fold]; ok {
		return spelled
	}
	if len(s.byFold) < maxSpellings {
		s.byFold[fold] = name
	}
	return name
}

// maxSpellings bounds the names that are kept of a service that names ever new phases.
const maxSpellings = 1000

// shortLog is Log for the shorthand. A phase that is named while it is on goes on (services repeat themselves, and one line often
// goes to both stdout and stderr); one that is named after it ended begins again, and judging decides what that means.
func (t *Tracker) shortLog(line string) []Change {
	var changes []Change
	ended, ends := t.short.ends.name(line)
	if ends {
		ended = t.short.spell(ended)
		if ended == t.current {
			changes = t.end(SourceLog, true)
		}
	}
	begun, begins := t.short.begins.name(line)
	if !begins {
		return changes
	}
	begun = t.short.spell(begun)
	if begun == t.current || ends && begun == ended { // a line that ends a phase often matches the pattern, too
		return changes
	}
	return append(changes, t.begin(Change{Phase: begun, Source: SourceLog, Exact: true, Declared: t.declared(begun)})...)
}
