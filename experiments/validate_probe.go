package experiments

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/probes"
)

// capturedPrefix is before the name of a value that a probe captured.
const capturedPrefix = "captured."

// captures reports every ${captured.NAME} of a chain that no earlier probe of it captures; known are the names that some did.
func (l *loader) captures(d *decoder, at string, p *probes.Spec, known []string) {
	if node := d.at(at); d.has(at) {
		l.capturedIn(without(node, "then", "capture"), known)
	}
	for _, name := range sortedKeys(p.Capture) {
		known = append(slices.Clip(known), capturedPrefix+name)
	}
	if p.Then != nil {
		l.captures(d, at+".then", p.Then, known)
	}
}

func (l *loader) capturedIn(n *yaml.Node, known []string) {
	if n == nil {
		return
	}
	if n.Kind != yaml.ScalarNode {
		for i, c := range n.Content {
			if n.Kind != yaml.MappingNode || i%2 == 1 {
				l.capturedIn(c, known)
			}
		}
		return
	}
	pieces, _ := split(n.Value)
	for _, p := range pieces {
		if !p.variable || !strings.HasPrefix(p.text, capturedPrefix) || slices.Contains(known, p.text) {
			continue
		}
		expected := "a `capture` of an earlier probe of the chain"
		if len(known) > 0 {
			expected = oneOf(known)
		}
		suggest := ""
		if near := nearest(p.text, known); near != "" {
			suggest = "did you mean `${" + near + "}`?"
		}
		l.variableProblem(n, p.text, fmt.Sprintf("`${%s}` is not captured", p.text), expected, suggest)
	}
}

// tryProbe makes the probe as a trial would, with stand-ins for its variables: what only the probe itself knows to be wrong is found too.
func (l *loader) tryProbe(d *decoder, at string, p *probes.Spec) {
	node := d.at(at)
	if node == nil || l.problemsWithin(node) {
		return
	}
	spec, err := Render(*p, standIn)
	if err == nil {
		spec.Then = nil // tried by itself
		_, err = probes.New(spec, probes.Env{Log: func(*regexp.Regexp) (string, bool) { return "", false }})
	}
	if err != nil {
		d.add(node, err.Error(), "", "")
	}
}

// standIn answers every variable with something of its form.
func standIn(name string) (string, error) {
	_, attribute, dotted := strings.Cut(name, ".")
	switch {
	case name == "unique", strings.HasPrefix(name, "captured."):
		return "1", nil
	case strings.HasPrefix(name, "port."), attribute == "port", attribute == "upstream_port", name == "seed":
		return "1", nil
	case attribute == "host", attribute == "upstream_host":
		return "127.0.0.1", nil
	case attribute == "upstream", !dotted && name != "bin" && name != "dir" && name != "trial":
		return "127.0.0.1:1", nil
	}
	return "x", nil
}
