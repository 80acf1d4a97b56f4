package experiments

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/probes"
)

// validateFile checks what a field alone cannot show, for everything but the experiments.
func (l *loader) validateFile() {
	f, d := l.f, l.d
	if d.has("version") && f.Version == 0 {
		f.Version = 1 // reported as out of range
	}
	l.validateService(d, "service", &f.Service)
	l.validateDependencies()
	l.validatePhases()
	l.validateReadiness()
	if f.Traffic != nil {
		l.validateTraffic(d, "traffic", f.Traffic)
	}
	l.validateInvariants(d, "invariants", f.Invariants.PhaseOrder, f.Invariants.PhaseBudgets)
	l.validateRetry(d, "invariants", f.Invariants.Retry)
	l.survivable(d.at("invariants.survives_orchestrator"), f.Invariants.Survives)
}

func (l *loader) validateService(d *decoder, at string, s *Service) {
	if s.Name == "" && len(s.Command) > 0 {
		s.Name = path.Base(s.Command[0])
	}
	if s.Budget == 0 && d.has(at+".budget") {
		d.addFirst(d.at(at+".budget"), "the budget is 0", "how long the service may take to be ready", "")
	}
	for _, name := range sortedKeys(s.Env) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			d.add(d.keyAt(at+".env."+name), fmt.Sprintf("%q cannot be the name of an environment variable", name), "a name without =", "")
		}
	}
	for _, name := range sortedKeys(s.Files) {
		p, file := at+".files."+name, s.Files[name]
		if !identifier.MatchString(strings.ReplaceAll(name, ".", "_")) || strings.Contains(name, "..") {
			d.add(d.keyAt(p), fmt.Sprintf("`%s` cannot be the name of a file", name), "letters, digits, ., _ and -", "")
		}
		if (file.Template == "") == (file.Content == "") && !(file.Content == "" && d.has(p+".content") && !d.has(p+".template")) {
			d.add(d.at(p), fmt.Sprintf("the file `%s` needs one of template and content", name), "{template: PATH} or {content: TEXT}", "")
		}
	}
	if s.Replicas > 1 && s.Restart.Policy != "" && s.Restart.Policy != "never" {
		d.add(d.at(at+".replicas"), "several replicas are not started again", "`restart: {policy: never}`, or one replica", "")
	}
	if s.Ready != nil {
		l.validateProbe(d, at+".ready", &s.Ready.Spec)
	}
	if port := fixedPort(*s, l.f.Dependencies); port != 0 && s.Replicas > 1 {
		d.add(d.at(at+".ready"), fmt.Sprintf("the %d replicas would all listen on port %d", s.Replicas, port), "a port of its own for each: ${port.http}",
			"give it to the service, and ask it there: `env: {PORT: \"${port.http}\"}` and 127.0.0.1:${port.http}")
	}
}

// reservedNames cannot be dependencies: ${NAME} means something else.
var reservedNames = []string{"env", "var", "port", "file", "bin", "dir", "trial", "replica", "seed", "dep", "ca", "unique", "captured"}

func (l *loader) validateDependencies() {
	ports, owners := map[string]string{}, map[string]string{}
	for i := range l.f.Dependencies {
		dep, d := &l.f.Dependencies[i], l.d
		at := "dependencies." + dep.Name
		switch {
		case slices.Contains(reservedNames, dep.Name):
			d.add(d.keyAt(at), fmt.Sprintf("a dependency cannot be called `%s`: ${%s} means something else", dep.Name, dep.Name), "another name", "")
		case !identifier.MatchString(dep.Name):
			d.add(d.keyAt(at), fmt.Sprintf("`%s` cannot be the name of a dependency", dep.Name), "letters, digits, _ and -", "")
		}
		l.validateSource(dep, at)
		l.validateNames(dep, at, owners)
		if dep.Protocol == "" {
			dep.Protocol = "tcp"
			if own := map[string]string{"postgres": "postgres", "redis": "redis", "clickhouse": "http", "nats": "nats"}[dep.Server]; own != "" {
				dep.Protocol = own
			}
		}
		if dep.Ready != nil {
			l.validateProbe(d, at+".ready", dep.Ready)
		}
		if _, port, ok := strings.Cut(dep.Listen, ":"); ok && port != "0" && d.has(at+".listen") {
			if other := ports[dep.Listen]; other != "" {
				d.add(d.at(at+".listen"), fmt.Sprintf("`%s` listens on %s, and so does `%s`", dep.Name, dep.Listen, other), "an address for each", "")
			}
			ports[dep.Listen] = dep.Name
		}
	}
}

// validateSource wants exactly one of upstream, command and server.
func (l *loader) validateSource(dep *Dependency, at string) {
	d := l.d
	var got []string
	for _, name := range []string{"upstream", "command", "server"} {
		if d.has(at + "." + name) {
			got = append(got, name)
		}
	}
	switch {
	case len(got) == 0:
		d.add(d.keyAt(at), fmt.Sprintf("`%s` does not say where it is", dep.Name), "exactly one of upstream, command, server", "")
	case len(got) > 1:
		d.add(d.at(at+"."+got[1]), fmt.Sprintf("`%s` has %s", dep.Name, strings.Join(got, " and ")), "exactly one of upstream, command, server", "")
	case got[0] == "upstream" && strings.HasSuffix(dep.Upstream, ":0"):
		d.add(d.at(at+".upstream"), "nothing can be reached at port 0", "the port of the real dependency", "")
	}
	if len(dep.Env) > 0 && !d.has(at+".command") {
		d.add(d.keyAt(at+".env"), "`env` is for a dependency with `command`", "", "remove it, or start the dependency with `command`")
	}
}

// probeKinds are the fields of a probe of which exactly one is set.
var probeKinds = []string{"tcp", "http", "grpc", "sql", "redis", "websocket", "exec", "log", "clickhouse", "metrics", "jwt"}

// validateProbe checks a probe and what is chained to it.
func (l *loader) validateProbe(d *decoder, at string, p *probes.Spec) {
	l.validateLink(d, at, p)
	l.captures(d, at, p, nil)
}

func (l *loader) validateLink(d *decoder, at string, p *probes.Spec) {
	var got []string
	for _, kind := range probeKinds {
		if d.has(at + "." + kind) {
			got = append(got, kind)
		}
	}
	switch {
	case len(got) == 0 && !strange(d.at(at), shapes()[reflect.TypeFor[Proof]()], shapes()[reflect.TypeFor[Ready]()]):
		d.addFirst(d.at(at), "the probe asks nothing", "exactly one of "+strings.Join(probeKinds, ", "), "")
	case len(got) > 1:
		d.add(d.keyAt(at+"."+got[1]), "the probe has "+strings.Join(got, " and "), "exactly one kind; ask a second one with `then`", "")
	}
	if p.Timeout == 0 && d.has(at+".timeout") {
		d.addFirst(d.at(at+".timeout"), "the timeout is 0", "how long one attempt may take", "")
	}
	if h := p.HTTP; h != nil {
		if d.has(at+".http.equals") && h.JSON == "" {
			d.add(d.keyAt(at+".http.equals"), "`equals` needs `json`", "{json: $.status, equals: ok}", "")
		}
		for _, name := range sortedKeys(h.Header) {
			if _, problem := compile(h.Header[name]); problem != "" {
				d.add(d.at(at+".http.header."+name), problem, "", "")
			}
		}
	}
	if w := p.WebSocket; w != nil {
		l.validateWebSocket(d, at+".websocket", w)
	}
	if p.Then != nil {
		l.validateLink(d, at+".then", p.Then)
	}
	l.tryProbe(d, at, p)
}

func (l *loader) validateWebSocket(d *decoder, at string, w *probes.WebSocket) {
	if len(w.Expect) > 0 && w.Status != 0 {
		d.add(d.keyAt(at+".status"), "a websocket probe has expect and status", "one of them: messages need an accepted upgrade, `status` a refused one", "")
	}
	for name, list := range map[string][]string{"expect": w.Expect, "fail_on": w.FailOn} {
		for i, text := range list {
			inner, ok := strings.CutPrefix(text, "/")
			if inner, ends := strings.CutSuffix(inner, "/"); ok && ends {
				if _, problem := compile(inner); problem != "" {
					d.add(d.at(fmt.Sprintf("%s.%s[%d]", at, name, i)), problem, "", "")
				}
			}
		}
	}
}

func (l *loader) validateReadiness() {
	names := map[string]bool{}
	for i := range l.f.Readiness {
		p, d := &l.f.Readiness[i], l.d
		at := fmt.Sprintf("readiness[%d]", i)
		if names[p.Name] && p.Name != "" {
			d.add(d.at(at+".name"), fmt.Sprintf("the proof %q is there twice", p.Name), "a name of its own for each", "")
		}
		names[p.Name] = true
		if d.at(at) == nil || len(keys(d.at(at))) == 0 {
			continue
		}
		for k, need := range p.Needs {
			l.knownDependency(d, fmt.Sprintf("%s.needs[%d]", at, k), need)
		}
		l.validateProbe(d, at, &p.Spec)
		if p.From == fromStart && (p.WebSocket == nil || len(p.WebSocket.Expect) == 0 || p.Then != nil || p.Parallel > 1 || p.WebSocket.Reconnect > 0) {
			d.add(d.at(at+".from"), "only one message on a WebSocket can be sent while the service starts",
				"a websocket probe with `expect`, without reconnect, parallel and then", "")
		}
	}
}

// fromStart is the moment of a proof whose message is sent while the service starts.
const fromStart = "start"

// knownDependency reports a name that is no dependency.
func (l *loader) knownDependency(d *decoder, at, name string) {
	if !slices.Contains(l.dependencies, name) && name != "" && !hasVariable(name) {
		expected := "no dependency is declared"
		if len(l.dependencies) > 0 {
			expected = oneOf(l.dependencies)
		}
		d.add(d.at(at), fmt.Sprintf("unknown dependency `%s`", name), expected, didYouMean(name, l.dependencies))
	}
}

// phaseNames returns the declared phases in their order.
func phaseNames(s phases.Spec) []string {
	var out []string
	for _, p := range s.List {
		out = append(out, p.Name)
	}
	return append(out, s.Order...)
}

func (l *loader) validatePhases() {
	d := l.d
	if list := d.at("phases"); d.has("phases") && list != nil && list.Kind == yaml.SequenceNode && len(list.Content) == 0 {
		d.add(list, "there is no phase", "at least one", "remove `phases` when there are none")
	}
	seen := map[string]bool{}
	for i, name := range l.phases {
		at := fmt.Sprintf("phases.order[%d]", i)
		if len(l.f.Phases.List) > 0 {
			at = fmt.Sprintf("phases[%d].name", i)
		}
		switch folded := strings.ToLower(name); {
		case folded == "":
		case folded == "start" || folded == "ready":
			d.add(d.at(at), fmt.Sprintf("a phase cannot be called `%s`: that is a moment of every trial", name), "another name", "")
		case seen[folded]:
			d.add(d.at(at), fmt.Sprintf("the phase `%s` is there twice", name), "each once", "")
		default:
			seen[folded] = true
		}
	}
	for i := range l.f.Phases.List {
		p := &l.f.Phases.List[i]
		at := fmt.Sprintf("phases[%d]", i)
		l.knownDependency(d, at+".begins.connect", p.Begins.Connect)
		if p.Ends != nil {
			l.knownDependency(d, at+".ends.connect", p.Ends.Connect)
		}
	}
	budgets := l.f.Phases.Budgets
	for _, name := range sortedKeys(budgets) {
		if canonical, ok := l.phase(d, "phases.budgets."+name, name); ok && canonical != name {
			budgets[canonical] = budgets[name]
			delete(budgets, name)
		}
	}
}

// phase returns the declared spelling of a phase, and reports an unknown one at the key or value of a path.
func (l *loader) phase(d *decoder, at, name string) (string, bool) {
	for _, p := range l.phases {
		if strings.EqualFold(p, name) {
			return p, true
		}
	}
	node := d.at(at)
	if strings.HasPrefix(at, "phases.budgets.") {
		node = d.keyAt(at)
	}
	if hasVariable(name) { // reported with the variable
		return name, false
	}
	expected, suggest := oneOf(l.phases), didYouMean(name, l.phases)
	if len(l.phases) == 0 {
		expected, suggest = "declared phases", "declare the phases under `phases`"
	}
	d.add(node, fmt.Sprintf("unknown phase `%s`", name), expected, suggest)
	return name, false
}

func (l *loader) validateInvariants(d *decoder, at string, order, budgets bool) {
	if order && len(l.phases) == 0 {
		d.add(d.at(at), "`phase_order` holds nothing: no phases are declared", "`phases`", "")
	}
	if !budgets {
		return
	}
	has := len(l.f.Phases.Budgets) > 0
	for _, p := range l.f.Phases.List {
		has = has || p.Budget > 0
	}
	if !has {
		d.add(d.at(at), "`phase_budgets` holds nothing: no phase has a budget", "`budgets` under `phases`, or `budget` of a phase", "")
	}
}
