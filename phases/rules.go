package phases

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// rule is one phase of the long form.
type rule struct {
	name   string
	begins match
	ends   *match
}

// match is a Match with its regular expression compiled.
type match struct {
	spec   Match
	phase  string
	begins bool
	line   *lineMatch
}

// New makes a tracker for s. The zero Spec is a tracker that knows no phase. An error names the phase, and every mistake is in it.
func New(s Spec) (*Tracker, error) {
	switch {
	case s.Pattern != "" && len(s.List) > 0:
		return nil, errors.New("phases: both a pattern and a list; expected one of them")
	case s.Pattern != "":
		short, err := newShorthand(s)
		if err != nil {
			return nil, err
		}
		return &Tracker{names: s.Order, short: short}, nil
	case len(s.Order) > 0 || s.Ends != "" || len(s.Budgets) > 0:
		return nil, errors.New(`phases: order, ends and budgets need a pattern, for example 'PHASE (?P<phase>\w+)'`)
	}
	return newLong(s.List)
}

func newLong(list []Phase) (*Tracker, error) {
	t := &Tracker{}
	var errs []error
	known := map[string]bool{}
	for i, p := range list {
		if p.Name == "" {
			errs = append(errs, fmt.Errorf("phases: phase %d has no name", i+1))
			continue
		}
		if known[p.Name] {
			errs = append(errs, fmt.Errorf("phases: two phases are named %s", p.Name))
		}
		known[p.Name] = true
		begins, err := newMatch(p.Name, true, p.Begins)
		errs = append(errs, err)
		r := rule{name: p.Name, begins: begins}
		if p.Ends != nil {
			ends, err := newMatch(p.Name, false, *p.Ends)
			errs = append(errs, err)
			r.ends = &ends
		}
		t.names, t.list = append(t.names, p.Name), append(t.list, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// newMatch checks that exactly one field of m is set and compiles it.
func newMatch(phase string, begins bool, m Match) (match, error) {
	field := "ends"
	if begins {
		field = "begins"
	}
	var set []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{SourceLog, m.Log != ""}, {SourceConnect, m.Connect != ""}, {SourceHTTP, m.HTTP != nil},
		{SourceNotify, m.Notify != ""}, {SourceMark, m.Mark != ""}, {SourceReady, m.Ready},
	} {
		if f.set {
			set = append(set, f.name)
		}
	}
	result := match{spec: m, phase: phase, begins: begins}
	switch {
	case len(set) == 0:
		return result, fmt.Errorf("phases: phase %s, %s: nothing is named; expected one of log, connect, http, notify, mark, ready", phase, field)
	case len(set) > 1:
		return result, fmt.Errorf("phases: phase %s, %s: %s; expected exactly one", phase, field, strings.Join(set, " and "))
	case m.Log != "":
		re, err := regexp.Compile(m.Log)
		if err != nil {
			return result, fmt.Errorf("phases: phase %s, %s: log: %w", phase, field, err)
		}
		result.line = newLineMatch(re)
	case m.HTTP != nil && (m.HTTP.URL == "" || m.HTTP.JSON == "" || m.HTTP.Interval < 0):
		return result, fmt.Errorf("phases: phase %s, %s: http needs url and json, and no negative interval", phase, field)
	}
	return result, nil
}

// lineMatch is a regular expression on log lines. It runs on every line of a noisy service, so that lines without the longest
// literal that every match holds are passed over without running it.
type lineMatch struct {
	re      *regexp.Regexp
	literal string
}

func newLineMatch(re *regexp.Regexp) *lineMatch {
	m := &lineMatch{re: re}
	if parsed, err := syntax.Parse(re.String(), syntax.Perl); err == nil {
		m.literal = longestLiteral(parsed)
	}
	return m
}

func (m *lineMatch) matches(line string) bool {
	return m != nil && strings.Contains(line, m.literal) && m.re.MatchString(line)
}

// longestLiteral returns the longest text that is in every match of re, as far as it is plain to see: "" is always true.
func longestLiteral(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		// A literal U+FFFD also matches bytes that are no UTF-8.
		if re.Flags&syntax.FoldCase == 0 && !slices.Contains(re.Rune, utf8.RuneError) {
			return string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return longestLiteral(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return longestLiteral(re.Sub[0])
		}
	case syntax.OpConcat:
		longest := ""
		for _, sub := range re.Sub {
			if text := longestLiteral(sub); len(text) > len(longest) {
				longest = text
			}
		}
		return longest
	}
	return ""
}
