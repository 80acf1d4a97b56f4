package phases

import "github.com/chaos-startup/chaos/timeline"

// Spec declares the phases of a service: either the shorthand (Pattern) or the long form (List), or neither.
type Spec struct {
	// Pattern is one regular expression with a group named phase that names them all; Order lists them. The matched name is compared
	// with Order without regard to case, and reported as Order spells it.
	Pattern string   `yaml:"pattern"`
	Order   []string `yaml:"order"`
	// Ends is an optional regular expression with a group named phase: a match ends that phase if it is the present one. Without it a
	// phase ends when the next begins.
	Ends    string                       `yaml:"ends"`
	Budgets map[string]timeline.Duration `yaml:"budgets"`

	List []Phase `yaml:"-"` // the long form: phases is a list
}

// Phase is one phase of the long form.
type Phase struct {
	Name   string            `yaml:"name"`
	Begins Match             `yaml:"begins"`
	Ends   *Match            `yaml:"ends"` // nil: it ends when the next begins
	Budget timeline.Duration `yaml:"budget"`
}

// Match is one way to recognise a moment. Exactly one field is set.
type Match struct {
	Log     string `yaml:"log"`     // regular expression on a line of stdout or stderr, ANSI sequences stripped
	Connect string `yaml:"connect"` // the first connection to that dependency (as ends: the first since the phase began)
	HTTP    *HTTP  `yaml:"http"`    // polled, therefore never exact
	Notify  string `yaml:"notify"`  // an sd_notify assignment, for example READY=1
	Mark    string `yaml:"mark"`    // a POST to $CHAOS_MARK_URL/<mark>
	Ready   bool   `yaml:"-"`       // `begins: ready`: the service's own claim to be ready
}

// HTTP polls an URL until a value in its JSON answer equals Equals.
type HTTP struct {
	URL      string            `yaml:"url"`
	JSON     string            `yaml:"json"` // path, for example $.phase
	Equals   string            `yaml:"equals"`
	Interval timeline.Duration `yaml:"interval"` // default 50ms
}
