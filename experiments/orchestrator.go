package experiments

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/orchestrators"
	"github.com/chaos-startup/chaos/timeline"
)

// Orchestrator is who starts the service in production: exactly one field is set. Its settings stand in the file or are imported from the
// orchestrator's own.
type Orchestrator struct {
	Kubernetes *KubernetesSettings `yaml:"kubernetes"`
	Compose    *ComposeSettings    `yaml:"compose"`
	Systemd    *SystemdSettings    `yaml:"systemd"`

	Settings orchestrators.Orchestrator `yaml:"-"` // what they come to
}

// KubernetesSettings are a manifest, or Kubernetes' own words.
type KubernetesSettings struct {
	Manifest                      string               `yaml:"manifest"` // relative to the file
	Container                     string               `yaml:"container"`
	Workload                      string               `yaml:"workload"`
	StartupProbe                  *orchestrators.Probe `yaml:"startupProbe"`
	LivenessProbe                 *orchestrators.Probe `yaml:"livenessProbe"`
	ReadinessProbe                *orchestrators.Probe `yaml:"readinessProbe"`
	RestartPolicy                 string               `yaml:"restartPolicy"`
	TerminationGracePeriodSeconds *int                 `yaml:"terminationGracePeriodSeconds"`
}

// ComposeSettings are a Compose file, or the words of its healthcheck.
type ComposeSettings struct {
	File          string            `yaml:"file"` // relative to the file
	Service       string            `yaml:"service"`
	Interval      timeline.Duration `yaml:"interval"`
	Timeout       timeline.Duration `yaml:"timeout"`
	Retries       int               `yaml:"retries"`
	StartPeriod   timeline.Duration `yaml:"start_period"`
	StartInterval timeline.Duration `yaml:"start_interval"`
	Restart       string            `yaml:"restart"`
}

// SystemdSettings are a unit file, or systemd's own words.
type SystemdSettings struct {
	Unit                  string             `yaml:"unit"` // relative to the file
	Type                  string             `yaml:"Type"`
	TimeoutStartSec       *timeline.Duration `yaml:"TimeoutStartSec"`
	Restart               string             `yaml:"Restart"`
	RestartSec            *timeline.Duration `yaml:"RestartSec"`
	StartLimitBurst       *int               `yaml:"StartLimitBurst"`
	StartLimitIntervalSec *timeline.Duration `yaml:"StartLimitIntervalSec"`
}

// orchestratorHook reads the orchestrator, with the settings that it imports. A relative path starts from the folder of the file.
func orchestratorHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	d.structure(n, v, path)
	o := v.Addr().Interface().(*Orchestrator)
	exactlyOne(d, n, shapes()[v.Type()], "kubernetes", "compose", "systemd")
	if d.problemsWithin(n) {
		return
	}
	i := importer{d, filepath.Dir(d.path)}
	switch {
	case o.Kubernetes != nil:
		o.Settings.Kubernetes = i.kubernetes(child(n, "kubernetes"), *o.Kubernetes)
	case o.Compose != nil:
		o.Settings.Compose = i.compose(child(n, "compose"), *o.Compose)
	case o.Systemd != nil:
		o.Settings.Systemd = i.systemd(child(n, "systemd"), *o.Systemd)
	}
}

// orchestrator is what judging needs of it.
func (f *File) orchestrator() *orchestrators.Orchestrator {
	if f.Orchestrator == nil {
		return nil
	}
	return &f.Orchestrator.Settings
}

// survivable refuses to ask what an orchestrator would do that is not named.
func (l *loader) survivable(at *yaml.Node, asked bool) {
	if asked && l.f.Orchestrator == nil {
		l.addFirst(at, "`survives_orchestrator` holds nothing: no orchestrator is named", "`orchestrator`",
			"add orchestrator: {kubernetes: {manifest: k8s/deploy.yaml}} to the file")
	}
}

// survives tells whether an expectation asks, anywhere, to survive the orchestrator.
func survives(e contracts.Expectation) bool {
	return e.Survives != nil || slices.ContainsFunc(e.AnyOf, survives) || slices.ContainsFunc(e.AllOf, survives)
}

// importer reads the files of orchestrators.
type importer struct {
	d   *decoder
	dir string
}

func (i importer) kubernetes(n *yaml.Node, s KubernetesSettings) *orchestrators.Kubernetes {
	if s.Manifest == "" {
		i.needs(n, "manifest", "container", "workload")
		for _, name := range []string{"startupProbe", "livenessProbe"} {
			if t := child(child(n, name), "successThreshold"); t != nil && t.Value != "1" {
				i.d.add(t, "the successThreshold of a "+name+" must be 1", "1", "")
			}
		}
		return &orchestrators.Kubernetes{StartupProbe: s.StartupProbe, LivenessProbe: s.LivenessProbe, ReadinessProbe: s.ReadinessProbe,
			RestartPolicy: s.RestartPolicy, TerminationGracePeriodSeconds: s.TerminationGracePeriodSeconds}
	}
	data, ok := i.alone(n, "manifest", "container", "workload")
	if !ok {
		return nil
	}
	k, mistake := orchestrators.ImportKubernetes(data, s.Container, s.Workload)
	if mistake != nil {
		i.report(n, "manifest", data, mistake)
		return nil
	}
	k.Source = s.Manifest + ", " + k.Source
	return k
}

func (i importer) compose(n *yaml.Node, s ComposeSettings) *orchestrators.Compose {
	if s.File == "" {
		i.needs(n, "file", "service")
		if s.Restart != "" && !orchestrators.ComposeRestart(s.Restart) {
			i.d.add(child(n, "restart"), fmt.Sprintf("unknown restart policy `%s`", s.Restart), "no, always, unless-stopped, on-failure or on-failure:N", "")
		}
		return &orchestrators.Compose{Interval: s.Interval, Timeout: s.Timeout, Retries: s.Retries, StartPeriod: s.StartPeriod, StartInterval: s.StartInterval,
			Restart: s.Restart}
	}
	data, ok := i.alone(n, "file", "service")
	if !ok {
		return nil
	}
	c, mistake := orchestrators.ImportCompose(data, s.Service)
	if mistake != nil {
		i.report(n, "file", data, mistake)
		return nil
	}
	c.Source = s.File + ", " + c.Source
	return c
}

func (i importer) systemd(n *yaml.Node, s SystemdSettings) *orchestrators.Systemd {
	if s.Unit == "" {
		return &orchestrators.Systemd{Type: s.Type, TimeoutStartSec: s.TimeoutStartSec, Restart: s.Restart, RestartSec: s.RestartSec,
			StartLimitBurst: s.StartLimitBurst, StartLimitIntervalSec: s.StartLimitIntervalSec}
	}
	data, ok := i.alone(n, "unit")
	if !ok {
		return nil
	}
	u, mistake := orchestrators.ImportUnit(data)
	if mistake != nil {
		i.report(n, "unit", data, mistake)
		return nil
	}
	u.Source = s.Unit
	return u
}

// needs refuses what chooses within a file that is not given.
func (i importer) needs(n *yaml.Node, file string, choices ...string) {
	for _, name := range choices {
		if child(n, name) != nil {
			i.d.add(keyNode(n, name), fmt.Sprintf("`%s` chooses within `%s`, and there is none", name, file), "`"+file+"`", "")
		}
	}
}

// alone reads the file that the first key names; words beside it that are not among the others are refused: they would not count.
func (i importer) alone(n *yaml.Node, names ...string) ([]byte, bool) {
	for _, key := range keys(n) {
		if !contains(names, key.Value) {
			i.d.add(key, fmt.Sprintf("`%s` stands beside `%s`, which has it already", key.Value, names[0]), "one of them", "")
			return nil, false
		}
	}
	at := child(n, names[0])
	data, err := readSettings(at.Value, i.dir)
	if err != nil {
		i.d.add(at, err.Error(), "a file, relative to this one", "")
		return nil, false
	}
	return data, true
}

// maxSettings bounds an imported file.
const maxSettings = 4 << 20

// readSettings reads a regular file.
func readSettings(name, dir string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	info, err := os.Stat(name)
	var pathError *os.PathError
	switch {
	case errors.As(err, &pathError):
		return nil, fmt.Errorf("cannot read %s: %w", name, pathError.Err)
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("cannot read %s: not a file", name)
	case info.Size() > maxSettings:
		return nil, fmt.Errorf("cannot read %s: it has %d bytes (at most %d)", name, info.Size(), maxSettings)
	}
	file, err := os.Open(name) // #nosec G304 -- the file's author names it
	if err != nil {
		return nil, fmt.Errorf("cannot read settings: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(file, maxSettings))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// report tells a mistake: in the imported file, or, where the choice is wrong, in this one.
func (i importer) report(n *yaml.Node, file string, data []byte, m *orchestrators.Mistake) {
	suggest, expected := "", m.Expected
	if m.Wrong != "" {
		suggest = didYouMean(m.Wrong, m.Known)
	}
	if expected == "" && len(m.Known) > 0 {
		expected = oneOf(m.Known)
	}
	at := child(n, m.Choice)
	if at == nil {
		at = child(n, file)
	}
	if m.Choice != "" {
		i.d.add(at, m.Text, expected, suggest)
		return
	}
	name := filepath.ToSlash(filepath.Join(i.dir, at.Value))
	if filepath.IsAbs(at.Value) {
		name = at.Value
	}
	foreign := newReporter(name, data)
	foreign.addAt(m.Line, m.Column, m.Text, expected, suggest)
	i.d.adopt(foreign)
}

// adopt takes over the problems of another file.
func (r *reporter) adopt(other *reporter) {
	for _, p := range other.list {
		key := fmt.Sprintf("%s:%d:%d:%s", p.File, p.Line, p.Column, p.Text)
		if !r.seen[key] && len(r.list) < maxProblems {
			r.seen[key] = true
			p.Text = strings.TrimSpace(p.Text)
			r.list = append(r.list, p)
		}
	}
}
