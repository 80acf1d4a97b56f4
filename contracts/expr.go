package contracts

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/expressions"
)

// Expr is an expression in CEL over the trial that must be true; Message says what it means when it is not.
type Expr struct {
	Expr    string `json:"expr"`
	Message string `json:"message,omitempty"`
}

// shownEvents bounds the events that an expression cites: it may speak of everything.
const shownEvents = 20

// expr checks an expression. One that asks for what was not seen is undecided: it is neither true nor false.
func (t *trace) expr(e Expr) finding {
	const rule = "expr"
	said := "`" + strings.Join(strings.Fields(e.Expr), " ") + "`"
	if e.Message != "" {
		said = e.Message + ": " + said
	}
	checked, problems := expressions.Compile(e.Expr, nil)
	if len(problems) > 0 { // the loader refuses it; a report may come from elsewhere
		return t.undecided(rule, "", nil, "%s is not an expression: %s", said, problems[0].Text)
	}
	got, err := checked.Evaluate(t.record())
	at := got.Evidence[:min(len(got.Evidence), shownEvents)]
	if len(at) == 0 {
		at = []int{t.outcomeAt()}
	}
	values := strings.Join(got.Values, ", ")
	switch {
	case errors.As(err, &expressions.Missing{}):
		return t.undecided(rule, "say what is meant then: has(...) && ..., or !has(...) || ... (see docs/expr.md)", at,
			"%s is neither true nor false: %s; the service %s", said, err, t.outcome().Words())
	case err != nil:
		return t.undecided(rule, "", at, "%s is neither true nor false: %s", said, err)
	case got.Holds && values == "":
		return t.holds(rule, at, "%s", said)
	case got.Holds:
		return t.holds(rule, at, "%s: %s", said, values)
	case values == "":
		return t.violates(rule, "", at, "%s is false", said)
	}
	return t.violates(rule, "", at, "%s is false: %s", said, values)
}

// exprs checks the expressions that are invariants.
func (t *trace) exprs() finding {
	all := make([]finding, len(t.spec.Invariants.Expr))
	for i, e := range t.spec.Invariants.Expr {
		all[i] = t.expr(e)
	}
	return merge(all...)
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
