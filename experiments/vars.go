package experiments

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// variables replaces ${env.NAME} and ${var.NAME} in nodes. Values are data: a ${ in them is not read again.
type variables struct {
	*reporter
	env    func(string) (string, bool)
	vars   map[string]string // escaped where they came from --var
	used   map[string]string // every env.NAME and var.NAME that was read, with its value
	nodes  map[string]bool   // names of vars that were read
	inVars bool              // the values of vars themselves may use only env
}

// newVariables reads `vars:` of the file and lays o.Vars over it.
func newVariables(r *reporter, root *yaml.Node, o Options) *variables {
	v := &variables{reporter: r, env: o.Env, vars: map[string]string{}, used: map[string]string{}, nodes: map[string]bool{}}
	if v.env == nil {
		v.env = func(string) (string, bool) { return "", false }
	}
	section := child(root, "vars")
	v.inVars = true
	for _, key := range keys(section) {
		value := child(section, key.Value)
		if !identifier.MatchString(key.Value) {
			r.add(key, fmt.Sprintf("`%s` cannot be the name of a variable", key.Value), "letters, digits, _ and -", "")
		}
		if value.Kind == yaml.ScalarNode && !isNull(value) {
			v.node(value)
			v.vars[key.Value] = value.Value
		}
	}
	v.inVars = false
	for name, value := range o.Vars {
		v.vars[name] = escape(value)
	}
	return v
}

// unusedVars reports --var names that the file never reads: most likely a typing mistake.
func (v *variables) unusedVars(root *yaml.Node, o Options) {
	for _, name := range sortedKeys(o.Vars) {
		if child(child(root, "vars"), name) == nil && !v.nodes[name] {
			known := sortedKeys(v.nodes)
			for _, k := range keys(child(root, "vars")) {
				known = append(known, k.Value)
			}
			v.addAt(0, 0, fmt.Sprintf("--var %s: the file has no ${var.%s}", name, name), "", didYouMean(name, known))
		}
	}
}

// file replaces in the whole file but for vars and keys that are ignored.
func (v *variables) file(root *yaml.Node) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if name := root.Content[i].Value; name != "vars" && !strings.HasPrefix(name, "x-") {
			v.node(root.Content[i+1])
		}
	}
}

// node replaces in every text below n, in place.
func (v *variables) node(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				if hasVariable(c.Value) {
					v.add(c, "variables are replaced in values, not in keys", "", "")
				}
				continue
			}
			v.node(c)
		}
		return
	}
	if !strings.Contains(n.Value, "${") {
		return
	}
	pieces, closed := split(n.Value)
	if !closed {
		v.variableProblem(n, "", "a `${` has no `}`", "${name}", "write `$${` for a literal `${`")
	}
	whole := len(pieces) == 1
	text, changed := v.replace(n, pieces)
	if !changed {
		return
	}
	n.Value = text
	if plainStyle := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0; plainStyle || whole {
		n.Tag, n.Anchor = plainTag(text), fromVariable
		n.Style &^= yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle
	}
}

func (v *variables) replace(n *yaml.Node, pieces []piece) (text string, changed bool) {
	var b strings.Builder
	for _, p := range pieces {
		switch kind, _, _ := strings.Cut(p.text, "."); {
		case !p.variable:
			b.WriteString(p.text)
		case kind == "env" || kind == "var":
			b.WriteString(v.lookup(n, p.text))
			changed = true
		default:
			b.WriteString("${" + p.text + "}")
		}
	}
	return b.String(), changed
}

// lookup returns the value of the inside of a variable such as env.NAME:-default, and reports when there is none.
func (v *variables) lookup(n *yaml.Node, inside string) string {
	full, fallback, hasDefault := strings.Cut(inside, ":-")
	kind, name, _ := strings.Cut(full, ".")
	if !identifier.MatchString(name) || (kind == "env" && !environment.MatchString(name)) {
		v.variableProblem(n, inside, fmt.Sprintf("`${%s}` is not a variable", inside), "${env.NAME}, ${env.NAME:-default} or ${var.NAME}", "")
		return ""
	}
	var value string
	var ok bool
	switch {
	case kind == "var" && v.inVars:
		v.variableProblem(n, inside, "a variable under `vars` cannot use another one", "${env.NAME}", "")
		return ""
	case kind == "var":
		v.nodes[name] = true
		value, ok = v.vars[name]
	default:
		value, ok = v.env(name)
		value = escape(value)
	}
	if hasDefault && value == "" {
		pieces, _ := split(fallback)
		value, _ = v.replace(n, pieces)
		ok = true
	}
	v.used[full] = value
	if !ok {
		v.unset(n, inside, kind, name)
	}
	return value
}

func (v *variables) unset(n *yaml.Node, inside, kind, name string) {
	if kind == "env" {
		v.variableProblem(n, inside, fmt.Sprintf("the environment variable %s is not set", name), "",
			fmt.Sprintf("set it, or give a default: ${env.%s:-default}", name))
		return
	}
	suggest := didYouMean(name, sortedKeys(v.vars))
	if suggest == "" {
		suggest = fmt.Sprintf("give --var %s=..., or declare it under `vars`", name)
	}
	v.variableProblem(n, inside, fmt.Sprintf("the variable ${var.%s} has no value", name), "", suggest)
}

// variableProblem reports at the place of the variable itself where it can be found, else at its text.
func (r *reporter) variableProblem(n *yaml.Node, inside, text, expected, suggest string) {
	last := min(len(r.lines), n.Line+strings.Count(n.Value, "\n")+1)
	for line := max(1, n.Line); line <= last; line++ {
		l := r.lines[line-1]
		if i := strings.Index(l, "${"+inside); i >= 0 {
			if column := len([]rune(l[:i])) + 1; line > n.Line || column >= n.Column {
				r.addAt(line, column, text, expected, suggest)
				return
			}
		}
	}
	r.add(n, text, expected, suggest)
}

// scope is the variables that a part of the file may use besides env and var.
type scope struct {
	names []string // exact names
	axes  []string // of a matrix: replaced already where they are written right
	ports bool     // ${port.ANY}
	probe bool     // ${unique} and ${captured.ANY}: whether that is captured is seen elsewhere
	where string   // for messages: "in the build command"
}

// allows tells whether a variable exists in the scope.
func (s scope) allows(name string) bool {
	if port, ok := strings.CutPrefix(name, "port."); ok && s.ports {
		return identifier.MatchString(port)
	}
	if s.probe && (name == "unique" || strings.HasPrefix(name, capturedPrefix)) {
		return true
	}
	return slices.Contains(s.names, name) || slices.Contains(s.axes, name)
}

// check reports every variable below n that will not exist when the text is used.
func (s scope) check(r *reporter, n *yaml.Node) {
	if n == nil {
		return
	}
	if n.Kind != yaml.ScalarNode {
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				continue
			}
			s.check(r, c)
		}
		return
	}
	pieces, _ := split(n.Value)
	for _, p := range pieces {
		if !p.variable || s.allows(p.text) {
			continue
		}
		var suggest string
		near := nearest(p.text, append(slices.Clone(s.names), s.axes...))
		switch {
		case near != "":
			suggest = "did you mean `${" + near + "}`?"
		case strings.HasPrefix(p.text, "file."):
			suggest = "declare it under `files` of the service"
		case environment.MatchString(p.text) && strings.ToUpper(p.text) == p.text:
			suggest = fmt.Sprintf("did you mean `${env.%s}`? For a literal ${%s} write $${%s}", p.text, p.text, p.text)
		default:
			suggest = fmt.Sprintf("for a literal ${%s} write $${%s}", p.text, p.text)
		}
		r.variableProblem(n, p.text, fmt.Sprintf("unknown variable `${%s}` %s", p.text, s.where), s.expected(), suggest)
	}
}

func (s scope) expected() string {
	names := slices.Clone(s.names)
	slices.SortFunc(names, func(a, b string) int { // the short ones say enough
		if d := strings.Count(a, ".") - strings.Count(b, "."); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	names = slices.DeleteFunc(names, func(n string) bool { return strings.Contains(n, ".") && !strings.HasPrefix(n, "file.") })
	if s.ports {
		names = append(names, "port.NAME")
	}
	if s.probe {
		names = append(names, "unique", capturedPrefix+"NAME")
	}
	return oneOf(append(append(names, s.axes...), "env.NAME", "var.NAME"))
}
