package experiments

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
)

// Options are what a file may read besides itself.
type Options struct {
	Env  func(string) (string, bool) // answers ${env.NAME}, as os.LookupEnv does; nil: nothing is set
	Vars map[string]string           // --var NAME=VALUE: answers ${var.NAME}, before `vars` of the file
}

// Load reads and checks a file. The error is Problems when the file is wrong, and wraps the cause when it cannot be read.
func Load(path string, o Options) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read experiments: %w", err)
	}
	if !info.Mode().IsRegular() && info.Size() > maxBytes || info.IsDir() {
		return nil, fmt.Errorf("read experiments %s: not a file", path)
	}
	data, err := os.ReadFile(path) // #nosec G304 -- the user names the file
	if err != nil {
		return nil, fmt.Errorf("read experiments: %w", err)
	}
	return LoadBytes(path, data, o)
}

// LoadBytes checks the text of a file. The path is used in messages, and its folder for relative paths.
func LoadBytes(path string, data []byte, o Options) (*File, error) {
	l := &loader{reporter: newReporter(path, data), f: &File{Path: path, Dir: filepath.Dir(path)}}
	if root := parse(data, l.reporter); root != nil {
		l.load(root, o)
	}
	if err := l.err(Mask(l.f.Masked)); err != nil {
		return nil, err
	}
	return l.f, nil
}

// loader turns the tree of one file into a File.
type loader struct {
	*reporter
	f    *File
	root *yaml.Node
	d    *decoder // has the places of everything but the experiments

	phases       []string // declared names in their order
	dependencies []string
	contracts    map[string]contracts.Expectation // resolved
	work         int                              // values made by matrices so far
}

func (l *loader) load(root *yaml.Node, o Options) {
	if root.Kind != yaml.MappingNode {
		l.add(root, "the file is a mapping, not "+describe(root), "version: 1, service: ..., experiments: ...", "")
		return
	}
	l.root = root
	v := newVariables(l.reporter, root, o)
	v.file(root)
	v.unusedVars(root, o)
	l.d = newDecoder(l.reporter)
	l.d.hooks[reflect.TypeFor[[]Experiment]()] = func(*decoder, *yaml.Node, reflect.Value, string) {} // one by one, below
	l.d.structure(final(root), reflect.ValueOf(l.f).Elem(), "")
	l.secrets(v, o)
	for _, d := range l.f.Dependencies {
		l.dependencies = append(l.dependencies, d.Name)
	}
	l.phases = phaseNames(l.f.Phases)
	l.scopes()
	l.resolveContracts()
	l.validateFile()
	l.experiments()
	l.checkExprs()
	l.validateChecklist()
	l.warnAboutProofs()
}

// final copies the file with $${ written ${ in the parts in which no trial will replace variables any more.
func final(root *yaml.Node) *yaml.Node {
	out := *root
	out.Content = slices.Clone(root.Content)
	for i := 0; i+1 < len(out.Content); i += 2 {
		switch out.Content[i].Value {
		case "contracts", "invariants", "secrets", "phases", "checklist":
			out.Content[i+1] = unescaped(out.Content[i+1])
		}
	}
	return &out
}

// secrets fills File.Masked: the values of the variables that `secrets` names.
func (l *loader) secrets(v *variables, o Options) {
	known := map[string]bool{}
	for full := range v.used {
		_, name, _ := strings.Cut(full, ".")
		known[name] = true
	}
	for name := range v.vars {
		known[name] = true
	}
	for name := range l.f.Service.Env {
		known[name] = true
	}
	for _, name := range l.f.Service.Inherit {
		known[name] = true
	}
	var masked []string
	for i, name := range l.f.Secrets {
		if !known[name] {
			names := sortedKeys(known)
			l.add(l.d.at(fmt.Sprintf("secrets[%d]", i)), fmt.Sprintf("`%s` is no variable that this file reads", name),
				"the name of an environment variable, of a var or of a key of service.env", didYouMean(name, names))
		}
		before := len(masked)
		if o.Env != nil {
			value, _ := o.Env(name)
			masked = append(masked, value)
		}
		masked = append(masked, unescape(v.used["env."+name]), unescape(v.used["var."+name]), unescape(v.vars[name]))
		if value := l.f.Service.Env[name]; !hasVariable(value) {
			masked = append(masked, unescape(value))
		}
		for _, value := range masked[before:] {
			if s := (Secret{name, value}); value != "" && !slices.Contains(l.f.Named, s) {
				l.f.Named = append(l.f.Named, s)
			}
		}
	}
	slices.Sort(masked)
	l.f.Masked = slices.DeleteFunc(slices.Compact(masked), func(s string) bool { return s == "" })
}

// authorityFiles are the variables of the test authority, of the fault tls.
var authorityFiles = []string{"ca.file", "ca.cert", "ca.key"}

// trialScope is what a trial's own texts may use.
func (l *loader) trialScope(files []string, where string) scope {
	s := scope{names: append([]string{"bin", "dir", "trial", "seed", "replica"}, authorityFiles...), ports: true, where: where}
	for _, d := range l.dependencies {
		s.names = append(s.names, d)
		for _, a := range []string{"host", "port", "upstream", "upstream_host", "upstream_port", "database", "user", "password"} {
			s.names = append(s.names, d+"."+a)
		}
	}
	for _, f := range files {
		s.names = append(s.names, "file."+f)
	}
	return s
}

// ofProbe adds what only an attempt at a probe knows.
func (s scope) ofProbe() scope {
	s.probe = true
	return s
}

// scopes checks that every variable that is left in the file (but for the experiments) will exist when it is needed.
func (l *loader) scopes() {
	l.serviceScope(child(l.root, "service"), l.f.Service, nil)
	files := sortedKeys(l.f.Service.Files)
	for i := range l.f.Dependencies {
		l.dependencyScope(child(l.root, "dependencies").Content[2*i+1], l.f.Dependencies[i].Name)
	}
	l.trialScope(files, "in a readiness proof").ofProbe().check(l.reporter, child(l.root, "readiness"))
	l.trialScope(files, "in the traffic").ofProbe().check(l.reporter, child(l.root, "traffic"))
	if phases := child(l.root, "phases"); phases != nil {
		l.phaseScopes(phases, files)
	}
	fixed := scope{where: "here: only env and var are replaced in this place"}
	for _, name := range []string{"secrets", "contracts", "invariants", "checklist"} {
		fixed.check(l.reporter, child(l.root, name))
	}
}

func (l *loader) serviceScope(n *yaml.Node, s Service, axes []string) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	scope{names: []string{"bin"}, where: "in the build command"}.check(l.reporter, child(n, "build"))
	trial := l.trialScope(sortedKeys(s.Files), "in the service")
	trial.axes = axes
	trial.check(l.reporter, without(n, "build", "name", "ready"))
	trial.ofProbe().check(l.reporter, child(n, "ready"))
	scope{where: "in the service's name"}.check(l.reporter, child(n, "name"))
}

func (l *loader) dependencyScope(n *yaml.Node, name string) {
	own := scope{names: append([]string{"bin", "dir", "dep", "dep.host", "dep.port", name, name + ".host", name + ".port"}, authorityFiles...),
		where: "in a dependency"}
	for _, key := range keys(n) {
		switch key.Value {
		case "command", "env":
			own.check(l.reporter, child(n, key.Value))
		case "ready":
			own.ofProbe().check(l.reporter, child(n, key.Value))
		default:
			scope{where: "here: only env and var are replaced in this place"}.check(l.reporter, child(n, key.Value))
		}
	}
}

// phaseScopes: only what is polled is rendered for a trial; patterns are compiled as they are.
func (l *loader) phaseScopes(n *yaml.Node, files []string) {
	if n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			l.phaseScopes(c, files)
		}
		return
	}
	for _, key := range keys(n) {
		value := child(n, key.Value)
		switch key.Value {
		case "http":
			l.trialScope(files, "in a phase").check(l.reporter, value)
		case "begins", "ends":
			l.phaseScopes(value, files)
		default:
			scope{where: "here: only env and var are replaced in this place"}.check(l.reporter, value)
		}
	}
	if n.Kind == yaml.ScalarNode {
		scope{where: "here: only env and var are replaced in this place"}.check(l.reporter, n)
	}
}

// proven tells whether the file has proofs of readiness; what is wrong with them is reported by itself.
func (l *loader) proven() bool {
	n := child(l.root, "readiness")
	return len(l.f.Readiness) > 0 || n != nil && l.problemsWithin(n)
}

func (l *loader) resolveContracts() {
	r := &resolver{d: l.d, named: l.f.Contracts, proofs: l.proven()}
	resolved := map[string]contracts.Expectation{}
	for _, name := range sortedKeys(l.f.Contracts) {
		r.open = []string{name}
		e := r.resolve(l.f.Contracts[name], "contracts."+name)
		e.Name = name
		resolved[name] = e
	}
	l.f.Contracts, l.contracts = resolved, resolved
}
