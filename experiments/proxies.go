package experiments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/faults"
)

// Proxy is one proxy of a file for `chaos proxy`.
type Proxy struct {
	Name     string
	Listen   string // host:port; "" is a free port of 127.0.0.1
	Upstream string // host:port
	Enabled  bool   // default true
	Toxics   []ProxyToxic
}

// ProxyToxic is a toxic that is on a Proxy from the start, as it is written.
type ProxyToxic struct {
	Name, Type, Stream string
	Toxicity           *float64 // nil: not given
	Attributes         map[string]any
}

// ProxyChecks say what is wrong with parts of a proxy. They are given by whoever will carry them out.
type ProxyChecks struct {
	Listen, Upstream func(address string) error
	Toxic            func(ProxyToxic) []faults.Problem
}

// LoadProxies reads the proxies of a file: a list of them (the JSON of Toxiproxy, or the same in YAML), a mapping with such a list under
// `proxies`, or an experiments.yaml, whose dependencies with an `upstream` they are. The error is Problems when the file is wrong.
func LoadProxies(path string, o Options, checks ProxyChecks) ([]Proxy, error) {
	data, err := os.ReadFile(path) // #nosec G304 -- the user names the file
	if err != nil {
		return nil, fmt.Errorf("read proxies: %w", err)
	}
	return loadProxies(path, data, o, checks)
}

func loadProxies(path string, data []byte, o Options, checks ProxyChecks) ([]Proxy, error) {
	if json.Valid(data) {
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" ")) // JSON may be indented with tabs, and has none elsewhere; YAML may not
	}
	l := &proxyLoader{reporter: newReporter(path, data), checks: checks, names: map[string]int{}}
	if len(bytes.TrimSpace(data)) == 0 {
		l.addAt(0, 0, "the file is empty", "a list of proxies, such as - {name: redis, listen: 127.0.0.1:26379, upstream: 127.0.0.1:6379}", "")
	} else if root := parse(data, l.reporter); root != nil {
		if child(root, "dependencies") != nil {
			return proxiesOf(path, data, o)
		}
		l.root(root)
	}
	if err := l.err(func(s string) string { return s }); err != nil {
		return nil, err
	}
	return l.list, nil
}

// proxiesOf makes proxies of an experiments file.
func proxiesOf(path string, data []byte, o Options) ([]Proxy, error) {
	f, err := LoadBytes(path, data, o)
	if err != nil {
		return nil, err
	}
	var list []Proxy
	for _, d := range f.Dependencies {
		if d.Upstream != "" {
			list = append(list, Proxy{Name: d.Name, Listen: d.Listen, Upstream: unescape(d.Upstream), Enabled: true})
		}
	}
	if len(list) == 0 {
		r := newReporter(path, data)
		r.addAt(0, 0, "no dependency has an `upstream`: chaos proxy starts none of its own", "`upstream: host:port` of one that runs", "")
		return nil, r.err(func(s string) string { return s })
	}
	return list, nil
}

// proxyLoader reads a list of proxies.
type proxyLoader struct {
	*reporter
	checks ProxyChecks
	names  map[string]int // line on which each was first given
	list   []Proxy
}

func (l *proxyLoader) root(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		l.mapping(n, "the file", map[string]func(*yaml.Node){"proxies": func(list *yaml.Node) { l.each(list, l.proxy) }}, "proxies")
		return
	}
	l.each(n, l.proxy)
}

// each reads the items of a list.
func (l *proxyLoader) each(n *yaml.Node, item func(*yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		l.add(n, "a list is needed here, not "+describe(n), "[...]", "")
		return
	}
	for _, c := range n.Content {
		item(c)
	}
}

// mapping reads the fields of a mapping, and reports the ones that it does not have and the required ones that are missing.
func (l *proxyLoader) mapping(n *yaml.Node, title string, fields map[string]func(*yaml.Node), required ...string) {
	known := sortedKeys(fields)
	if n.Kind != yaml.MappingNode {
		l.add(n, fmt.Sprintf("%s is a mapping, not %s", title, describe(n)), "a mapping with "+oneOf(known), "")
		return
	}
	meant := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, ok := fields[key.Value]
		switch {
		case ok:
			meant[key.Value] = true
			read(value)
		case !strings.HasPrefix(key.Value, "x-"):
			meant[nearest(key.Value, known)] = true
			l.add(key, fmt.Sprintf("unknown field `%s` in %s", key.Value, title), oneOf(known), didYouMean(key.Value, known))
		}
	}
	for _, name := range required {
		if !meant[name] {
			l.add(n, fmt.Sprintf("%s has no `%s`", title, name), "`"+name+"`", "")
		}
	}
}

func (l *proxyLoader) proxy(n *yaml.Node) {
	p := Proxy{Enabled: true}
	address := func(into *string, check func(string) error) func(*yaml.Node) {
		return func(v *yaml.Node) {
			if !l.text(v, into) {
				return
			}
			if err := check(*into); err != nil {
				l.add(v, err.Error(), "", "")
			}
		}
	}
	l.mapping(n, "a proxy", map[string]func(*yaml.Node){
		"name": func(v *yaml.Node) {
			if l.text(v, &p.Name) {
				l.unique(v)
			}
		},
		"listen":   address(&p.Listen, l.checks.Listen),
		"upstream": address(&p.Upstream, l.checks.Upstream),
		"enabled":  func(v *yaml.Node) { l.decode(v, &p.Enabled, "true or false") },
		"toxics":   func(v *yaml.Node) { l.each(v, func(t *yaml.Node) { l.toxic(t, &p) }) },
	}, "name", "upstream")
	l.list = append(l.list, p)
}

func (l *proxyLoader) unique(n *yaml.Node) {
	if first, twice := l.names[n.Value]; twice {
		l.add(n, fmt.Sprintf("there is a proxy `%s` already, on line %d", n.Value, first), "each name once", "")
		return
	}
	l.names[n.Value] = n.Line
}

func (l *proxyLoader) toxic(n *yaml.Node, p *Proxy) {
	var t ProxyToxic
	before := len(l.reporter.list)
	places := map[string]*yaml.Node{}
	at := func(name string, read func(*yaml.Node)) func(*yaml.Node) {
		return func(v *yaml.Node) {
			places[name] = v
			read(v)
		}
	}
	l.mapping(n, "a toxic", map[string]func(*yaml.Node){
		"name":     at("name", func(v *yaml.Node) { l.text(v, &t.Name) }),
		"type":     at("type", func(v *yaml.Node) { l.text(v, &t.Type) }),
		"stream":   at("stream", func(v *yaml.Node) { l.text(v, &t.Stream) }),
		"toxicity": at("toxicity", func(v *yaml.Node) { t.Toxicity = new(float64); l.decode(v, t.Toxicity, "a number from 0 to 1") }),
		"attributes": func(v *yaml.Node) {
			if isNull(v) {
				return
			}
			l.mapping(v, "the attributes of a toxic", l.anything(v, places))
			t.Attributes, _ = plain(v).(map[string]any)
		},
	}, "type")
	if len(l.reporter.list) > before {
		return
	}
	for _, problem := range l.checks.Toxic(t) {
		where := n
		if v := places[problem.Param]; v != nil {
			where = v
		}
		l.add(where, problem.String(), "", "")
	}
	p.Toxics = append(p.Toxics, t)
	l.uniqueToxic(n, p)
}

// uniqueToxic reports a toxic whose name, given or made of its type and stream, its proxy has already.
func (l *proxyLoader) uniqueToxic(n *yaml.Node, p *Proxy) {
	name := func(t ProxyToxic) string {
		switch {
		case t.Name != "":
			return t.Name
		case t.Stream == "":
			return t.Type + "_downstream"
		}
		return t.Type + "_" + strings.ToLower(t.Stream)
	}
	last := len(p.Toxics) - 1
	if slices.ContainsFunc(p.Toxics[:last], func(t ProxyToxic) bool { return name(t) == name(p.Toxics[last]) }) {
		l.add(n, fmt.Sprintf("the proxy has a toxic `%s` already", name(p.Toxics[last])), "a `name` of its own", "")
	}
}

// anything notes where the fields of a mapping stand and takes them all.
func (l *proxyLoader) anything(n *yaml.Node, places map[string]*yaml.Node) map[string]func(*yaml.Node) {
	fields := map[string]func(*yaml.Node){}
	for _, key := range keys(n) {
		fields[key.Value] = func(v *yaml.Node) { places[key.Value] = v }
	}
	return fields
}

// text reads a text; the empty one counts as none.
func (l *proxyLoader) text(n *yaml.Node, into *string) bool {
	if n.Kind != yaml.ScalarNode || isNull(n) || n.ShortTag() != "!!str" || n.Value == "" {
		l.add(n, "text is needed here, not "+describe(n), "text", "")
		return false
	}
	*into = n.Value
	return true
}

// decode reads a value of another type.
func (l *proxyLoader) decode(n *yaml.Node, into any, expected string) {
	if err := n.Decode(into); err != nil || isNull(n) || n.Kind != yaml.ScalarNode {
		l.add(n, expected+" is needed here, not "+describe(n), expected, "")
	}
}
