package experiments

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/faults"
)

// hostName is a name as DNS has it; services are known to use underscores as well.
var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// maxHostName is the longest name that DNS can carry, as text without the dot at the end.
const maxHostName = 253

// validateNames brings the names of a dependency into one spelling, and refuses those that no resolver would be asked for. owners is whose each
// name is.
func (l *loader) validateNames(dep *Dependency, at string, owners map[string]string) {
	for i, name := range dep.Names {
		node := l.d.at(fmt.Sprintf("%s.names[%d]", at, i))
		folded := strings.ToLower(strings.TrimSuffix(name, "."))
		dep.Names[i] = folded
		_, notAddress := netip.ParseAddr(folded)
		switch {
		case hasVariable(name): // reported with the variable
		case notAddress == nil:
			l.d.add(node, fmt.Sprintf("%q is an address, and nobody asks for the address of an address", name), "a host name such as postgres.internal", "")
		case folded == "localhost" || strings.HasSuffix(folded, ".localhost"):
			l.d.add(node, fmt.Sprintf("`%s` is this machine for every program: it is never asked for", name), "another name", "")
		case len(folded) > maxHostName || !hostName.MatchString(folded):
			l.d.add(node, fmt.Sprintf("%q cannot be a host name", name), "letters, digits, - and _ between dots, as in postgres.internal", "")
		case owners[folded] != "":
			l.d.add(node, fmt.Sprintf("`%s` is a name of `%s` already", folded, owners[folded]), "each name once", "")
		default:
			owners[folded] = dep.Name
		}
	}
}

// resolvable refuses a fault of names on a dependency that has none.
func (l *loader) resolvable(d *decoder, at string, in *Injection) {
	if in.Fault.Behaviour().Resolve == nil {
		return
	}
	for _, dep := range l.f.Dependencies {
		if dep.Name == in.On && len(dep.Names) == 0 {
			d.add(d.at(at+".fault"), fmt.Sprintf("`%s` is about the names of `%s`, and it has none", in.Fault.Kind, in.On), "`names` of that dependency",
				fmt.Sprintf("add under dependencies.%s the host names that the service looks up, such as names: [%s.internal]", in.On, in.On))
		}
	}
}

// speakable refuses a fault that speaks on a dependency that is said to speak something else: it would never bite.
func (l *loader) speakable(d *decoder, at string, in *Injection) {
	kind, ok := faults.Lookup(in.Fault.Kind)
	if !ok || kind.Protocols == nil {
		return
	}
	for _, dep := range l.f.Dependencies {
		if dep.Name == in.On && dep.Protocol != "tcp" && !slices.Contains(kind.Protocols, dep.Protocol) {
			d.add(d.at(at+".fault"), fmt.Sprintf("`%s` does not speak %s, which is the protocol of `%s`", kind.Name, dep.Protocol, in.On),
				"a dependency whose protocol is "+strings.Join(kind.Protocols, " or "), "")
		}
	}
}
