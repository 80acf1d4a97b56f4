package orchestrators

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// podPaths is where the kinds of Kubernetes keep the spec of their Pods.
var podPaths = map[string][]string{
	"Pod": {"spec"}, "Deployment": {"spec", "template", "spec"}, "StatefulSet": {"spec", "template", "spec"}, "DaemonSet": {"spec", "template", "spec"},
	"ReplicaSet": {"spec", "template", "spec"}, "ReplicationController": {"spec", "template", "spec"}, "Job": {"spec", "template", "spec"},
	"CronJob": {"spec", "jobTemplate", "spec", "template", "spec"},
}

// found is a container in a manifest.
type found struct {
	workload  string // "Deployment/smd"
	name      string
	pod, node *yaml.Node
}

// ImportKubernetes reads the probes of a container from a manifest: one or more YAML documents, lists of objects too. An empty container is the
// only one that there is; an empty workload (NAME or KIND/NAME) any that has it.
func ImportKubernetes(data []byte, container, workload string) (*Kubernetes, *Mistake) {
	roots, mistake := documents(data)
	if mistake != nil {
		return nil, mistake
	}
	var all []found
	for _, root := range roots {
		all = append(all, containersOf(root, true)...)
	}
	if len(all) == 0 {
		return nil, &Mistake{Text: "there is no container in it", Expected: "a Pod, or a Deployment or another kind that has a template of one"}
	}
	one, mistake := choose(all, container, workload)
	if mistake != nil {
		return nil, mistake
	}
	return readContainer(one)
}

// containersOf returns the containers of an object, those of its items when it is a list of objects.
func containersOf(root *yaml.Node, outer bool) []found {
	kind := text(child(root, "kind"))
	if outer && strings.HasSuffix(kind, "List") {
		var all []found
		for _, item := range items(child(root, "items")) {
			all = append(all, containersOf(item, false)...)
		}
		return all
	}
	path, known := podPaths[kind]
	if !known {
		return nil
	}
	pod := child(root, path...)
	name := kind + "/" + text(child(root, "metadata", "name"))
	var all []found
	for _, c := range items(child(pod, "containers")) {
		all = append(all, found{name, text(child(c, "name")), pod, c})
	}
	for _, c := range items(child(pod, "initContainers")) {
		if text(child(c, "restartPolicy")) == "Always" { // a sidecar: it has probes
			all = append(all, found{name, text(child(c, "name")), pod, c})
		}
	}
	return all
}

// choose finds the one container that is meant.
func choose(all []found, container, workload string) (found, *Mistake) {
	var names, workloads []string
	for _, f := range all {
		workloads = append(workloads, f.workload)
	}
	workloads = unique(workloads)
	var kept []found
	for _, f := range all {
		if _, name, _ := strings.Cut(f.workload, "/"); workload == "" || workload == f.workload || workload == name {
			kept = append(kept, f)
			names = append(names, f.name)
		}
	}
	if len(kept) == 0 {
		return found{}, &Mistake{Choice: "workload", Text: "unknown workload `" + workload + "`", Wrong: workload, Known: workloads}
	}
	names = unique(names)
	if container == "" && len(names) > 1 {
		return found{}, &Mistake{Choice: "container", Text: "the manifest has several containers", Expected: "`container`: one of " + strings.Join(names, ", ")}
	}
	if container != "" {
		kept = slices.DeleteFunc(kept, func(f found) bool { return f.name != container })
	}
	switch len(kept) {
	case 0:
		return found{}, &Mistake{Choice: "container", Text: "unknown container `" + container + "`", Wrong: container, Known: names}
	case 1:
		return kept[0], nil
	}
	workloads = nil
	for _, f := range kept {
		workloads = append(workloads, f.workload)
	}
	return found{}, &Mistake{Choice: "workload", Text: fmt.Sprintf("several workloads have a container `%s`", kept[0].name),
		Expected: "`workload`: one of " + strings.Join(unique(workloads), ", ")}
}

func unique(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}

func readContainer(f found) (*Kubernetes, *Mistake) {
	k := &Kubernetes{Source: "container " + f.name + " of " + f.workload}
	ports := containerPorts(f.node)
	for _, port := range ports {
		k.Ports = append(k.Ports, port.number)
	}
	places := []**Probe{&k.StartupProbe, &k.LivenessProbe, &k.ReadinessProbe}
	for i, name := range []string{StartupProbe, LivenessProbe, ReadinessProbe} {
		n := child(f.node, name)
		if n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
			continue
		}
		p, mistake := readProbe(n, name, ports)
		if mistake != nil {
			return nil, mistake
		}
		*places[i] = p
	}
	if n := child(f.pod, "restartPolicy"); n != nil {
		known := []string{"Always", "OnFailure", "Never"}
		if k.RestartPolicy = text(n); !slices.Contains(known, k.RestartPolicy) {
			m := wrong(n, "", "unknown restartPolicy `%s`", k.RestartPolicy)
			m.Wrong, m.Known = k.RestartPolicy, known
			return nil, m
		}
	}
	if n := child(f.pod, "terminationGracePeriodSeconds"); n != nil {
		v, mistake := number(n, "terminationGracePeriodSeconds", 0)
		if mistake != nil {
			return nil, mistake
		}
		k.TerminationGracePeriodSeconds = &v
	}
	return k, nil
}

// port is one that a container declares.
type port struct{ name, number string }

func containerPorts(container *yaml.Node) []port {
	var out []port
	for _, n := range items(child(container, "ports")) {
		if number := text(child(n, "containerPort")); number != "" {
			out = append(out, port{text(child(n, "name")), number})
		}
	}
	return out
}

// handlers are how a probe asks.
var handlers = []string{"httpGet", "tcpSocket", "exec", "grpc"}

func readProbe(n *yaml.Node, name string, ports []port) (*Probe, *Mistake) {
	if n.Kind != yaml.MappingNode {
		return nil, wrong(n, "a mapping", "`%s` is not a mapping", name)
	}
	p := &Probe{}
	grace := 0
	fields := map[string]*int{
		"initialDelaySeconds": &p.InitialDelaySeconds, "periodSeconds": &p.PeriodSeconds, "timeoutSeconds": &p.TimeoutSeconds,
		"successThreshold": &p.SuccessThreshold, "failureThreshold": &p.FailureThreshold, "terminationGracePeriodSeconds": &grace,
	}
	for _, f := range pairs(n) {
		field := f.key.Value
		switch to := fields[field]; {
		case to != nil:
			v, mistake := number(f.value, field, 0)
			if mistake != nil {
				return nil, mistake
			}
			*to = v
		case field == "httpGet":
			p.HTTPGet = &HTTPGet{Path: httpPath(f.value), Port: httpPort(f.value, ports)}
		case slices.Contains(handlers, field):
			p.How = field
		default:
			m := wrong(f.key, "", "unknown field `%s` in a %s", field, name)
			m.Wrong = field
			for known := range fields {
				m.Known = append(m.Known, known)
			}
			m.Known = append(m.Known, handlers...)
			slices.Sort(m.Known)
			return nil, m
		}
	}
	if name != ReadinessProbe && p.SuccessThreshold > 1 {
		return nil, wrong(child(n, "successThreshold"), "1", "the successThreshold of a %s must be 1", name)
	}
	return p, nil
}

// httpPort is the port of an httpGet: the number where the container declares its name.
func httpPort(n *yaml.Node, ports []port) string {
	asked := text(child(n, "port"))
	for _, p := range ports {
		if p.name != "" && p.name == asked {
			return p.number
		}
	}
	return asked
}

// httpPath is the path of an httpGet, without its query.
func httpPath(n *yaml.Node) string {
	path, _, _ := strings.Cut(text(child(n, "path")), "?")
	if path == "" {
		return "/"
	}
	return path
}
