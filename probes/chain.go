package probes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// link is one probe of a chain, and what follows it.
type link struct {
	spec    Spec // without Then
	env     Env
	fixed   Probe // nil: it uses values that only an attempt knows, and is made for each
	capture map[string]jsonPath
	then    *link
	timing  Timing // of then
}

// newLink checks s with stand-ins for the values that attempts fill in; known are the names that were captured before it.
func newLink(s Spec, e Env, known []string) (*link, error) {
	l := &link{spec: s, env: e, capture: map[string]jsonPath{}}
	l.spec.Then, l.spec.Capture = nil, nil
	if err := checkMentioned(l.spec, known); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, name := range append(known, uniqueName) {
		values[name] = "1"
	}
	p, err := single(fill(l.spec, values), e, nil)
	if err != nil {
		return nil, err
	}
	kind, _ := s.Kind() // single has said that there is one
	if len(mentioned(l.spec)) == 0 {
		l.fixed = p
	}
	for name, path := range s.Capture {
		if l.capture[name], err = parseJSONPath(path); err != nil || !captureName.MatchString(name) {
			return nil, fmt.Errorf("%s probe: capture %s: %w", kind, name, errors.Join(err, checkCaptureName(name)))
		}
		known = append(slices.Clip(known), captured+name)
	}
	if s.Then == nil {
		return l, nil
	}
	l.timing = s.Then.Timing()
	if l.then, err = newLink(*s.Then, e, known); err != nil {
		return nil, fmt.Errorf("%s probe: then: %w", kind, err)
	}
	return l, nil
}

// begin is one attempt at the whole chain: a Probe.
func (l *link) begin(ctx context.Context) (Answer, error) {
	return l.ask(ctx, map[string]string{uniqueName: strings.ToLower(rand.Text()[:uniqueLength])})
}

// ask asks this probe and then what follows it, with the timing words of that: within makes it wait for an effect of this one.
func (l *link) ask(ctx context.Context, values map[string]string) (Answer, error) {
	p := l.fixed
	if p == nil {
		var err error
		if p, err = single(fill(l.spec, values), l.env, secretValues(values)); err != nil {
			return Answer{}, hide(err, secretValues(values))
		}
	}
	got, err := p(ctx)
	if err != nil {
		return got, err
	}
	if values, err = l.captured(values, got); err != nil || l.then == nil {
		return got, err
	}
	then := func(ctx context.Context) (Answer, error) { return l.then.ask(ctx, values) }
	if failed, err := Poll(ctx, then, l.timing, nil); err != nil {
		return failed, fmt.Errorf("then: %w", err)
	}
	return got, nil
}

// captured returns values with what this answer adds.
func (l *link) captured(values map[string]string, got Answer) (map[string]string, error) {
	if len(l.capture) == 0 {
		return values, nil
	}
	values = maps.Clone(values)
	for _, name := range slices.Sorted(maps.Keys(l.capture)) {
		value, err := l.capture[name].pick(got.Body)
		if err != nil {
			return nil, fmt.Errorf("capture %s: %w", name, err)
		}
		values[captured+name] = value
	}
	return values, nil
}
