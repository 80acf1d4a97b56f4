package experiments

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/dustin/go-humanize"
	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
)

// words says what is sent and when: "SIGTERM at phase database, after 200ms".
func (a *AskStop) words(signal string) string {
	if a.Signal != "" {
		signal = a.Signal
	}
	text := signal + " at " + a.When.String()
	if a.After > 0 {
		text += ", after " + short(a.After)
	}
	return text
}

// validateStop completes the moment at which an experiment asks the service to stop.
func (l *loader) validateStop(d *decoder, at string, a *AskStop) {
	during, when := d.has(at+".during"), d.has(at+".when")
	switch {
	case during && when:
		d.add(d.keyAt(at+".when"), "`during` and `when` both say when", "one of them", "")
	case during:
		if folded := strings.ToLower(a.During); folded == "start" || folded == "ready" {
			d.add(d.at(at+".during"), fmt.Sprintf("`%s` is a moment, not a phase", a.During), oneOf(l.phases), "did you mean `when: "+folded+"`?")
			return
		}
		a.During, _ = l.phase(d, at+".during", a.During)
		a.When = Trigger{Phase: a.During}
	case when:
		l.trigger(d, at+".when", &a.When)
		if a.When.Sends != "" || a.When.Receives != "" {
			d.add(d.at(at+".when"), "a service is not asked to stop by what is on the wire", "start, ready, a phase, {log: RE} or {connect: DEPENDENCY}", "")
		}
	case !strange(d.at(at), shapes()[reflect.TypeFor[AskStop]()]):
		d.addFirst(d.at(at), "`stop` does not say when", "{during: PHASE} or {when: ready}", "")
	}
}

// validateManners checks what an experiment asks of the end of a start.
func (l *loader) validateManners(d *decoder, at string, e *Experiment) {
	if e.Stop != nil {
		l.validateStop(d, at+".stop", e.Stop)
	}
	service := &l.f.Service
	if e.Service != nil {
		service = e.Service
	}
	if e.ThenRestart != nil && service.Replicas > 1 {
		d.addFirst(d.at(at+".then_restart"), "`then_restart` plays one instance, and the service has several", "`replicas: 1` in this experiment", "")
	}
	if e.Stop == nil && !d.has(at+".stop") && asksForStop(e.Expect) {
		d.addFirst(d.at(at+".expect"), "`stop` is expected, and nothing asks the service to stop", "`stop: {during: PHASE}` in the experiment",
			"that it stops when observation is over is the invariant `stops_on_signal`")
	}
}

// asksForStop tells whether an expectation must or may be a stop.
func asksForStop(e contracts.Expectation) bool {
	for _, list := range [][]contracts.Expectation{e.AnyOf, e.AllOf} {
		for _, c := range list {
			if asksForStop(c) {
				return true
			}
		}
	}
	return e.Stop != nil
}

// sizeHook reads a number of bytes with its unit.
func sizeHook(d *decoder, n *yaml.Node, v reflect.Value, _ string) {
	const want = "a size with its unit, for example 512MiB, 1GiB or 64MB"
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.add(n, "a size is needed here, not "+describe(n), want, "")
		return
	}
	if tag := n.ShortTag(); tag == "!!int" || tag == "!!float" || floatPattern.MatchString(n.Value) {
		d.add(n, fmt.Sprintf("the size %s has no unit", n.Value), want, fmt.Sprintf("did you mean `%sMiB`?", n.Value))
		return
	}
	size, err := humanize.ParseBytes(n.Value)
	if err != nil || size == 0 || size > 1<<50 {
		d.add(n, fmt.Sprintf("%q is not a size", n.Value), want, "")
		return
	}
	v.SetInt(int64(size)) // #nosec G115 -- at most 2^50
}

// boundsHook reads a mapping of bounds, of which one at least must be given.
func boundsHook(example string) hook {
	return func(d *decoder, n *yaml.Node, v reflect.Value, path string) {
		d.structure(n, v, path)
		if n == nil || isNull(n) || n.Kind == yaml.MappingNode && len(n.Content) == 0 {
			d.add(n, fmt.Sprintf("`%s` bounds nothing", shapes()[v.Type()].section.title), example, "")
		}
	}
}

// thenRestartHook reads true, no value at all, or a mapping.
func thenRestartHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && strings.EqualFold(n.Value, "true") {
		n = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
	}
	d.structure(n, v, path)
}
