package orchestrators

import (
	"fmt"
	"maps"
	"slices"
)

// Source is the source of the evidence that is missing of a Question.
const Source = "orchestrator"

// Question is what an orchestrator asks over HTTP. Where Why is set it is not to be asked: it goes to a port that the trial does not know.
type Question struct {
	Name string // of the probe, as Start.Answers knows it
	Path string
	Why  string
}

// Questions returns what the orchestrator asks over HTTP, in the order of their names. ready is the port of service.ready in the trial, "" where
// it has none.
func (o Orchestrator) Questions(ready string) []Question {
	var out []Question
	if o.Kubernetes != nil {
		named := o.Kubernetes.Named()
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if p := named[name]; p.HTTPGet != nil {
				out = append(out, Question{name, p.HTTPGet.path(), o.Kubernetes.elsewhere(name, ready)})
			}
		}
	}
	if o.Compose != nil && o.Compose.Path != "" && !o.Compose.NoHealthcheck {
		out = append(out, Question{Name: Healthcheck, Path: o.Compose.Path})
	}
	return out
}

// home is the port of the container that service.ready stands on. In a trial the service mostly has a port that chaos chose, which no manifest
// knows: then it is that of the readinessProbe, else of the startupProbe, else of the livenessProbe, which service.ready stands for. A port that
// the manifest does know is itself, and one that a container with declared ports does not declare is another.
func (k Kubernetes) home(ready string) string {
	var ports []string
	for _, p := range []*Probe{k.ReadinessProbe, k.StartupProbe, k.LivenessProbe} {
		if p != nil && p.HTTPGet != nil && p.HTTPGet.Port != "" {
			ports = append(ports, p.HTTPGet.Port)
		}
	}
	switch {
	case len(ports) == 0:
		return ""
	case ready != "" && (slices.Contains(ports, ready) || slices.Contains(k.Ports, ready)):
		return ready
	case len(k.Ports) > 0 && !slices.Contains(k.Ports, ports[0]):
		return k.Ports[0] // what a probe asks is not a port of the container's that others know
	}
	return ports[0]
}

// elsewhere says why a probe cannot be asked where service.ready is, "" when it can.
func (k Kubernetes) elsewhere(name, ready string) string {
	p, home := k.Named()[name], k.home(ready)
	if p.HTTPGet == nil || p.HTTPGet.Port == "" || p.HTTPGet.Port == home {
		return ""
	}
	return fmt.Sprintf("the %s asks port %s, and service.ready stands on port %s of the container: where the trial has port %s is not known", name, p.HTTPGet.Port, home,
		p.HTTPGet.Port)
}

// unasked is a probe that decides over the start and was not asked, "" when there is none.
func (k Kubernetes) unasked(s Start) string {
	for _, name := range []string{StartupProbe, LivenessProbe} {
		if _, has := k.Named()[name]; has && s.Unasked[name] != "" {
			return name
		}
	}
	return ""
}
