package expressions

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// Result is what an expression came to.
type Result struct {
	Holds    bool
	Values   []string // what decided it: `trial.ready_ms = 31204`, in the order of the text
	Evidence []int    // the positions of the events that show these values
}

// Missing is the error of an expression that asked for a value which there is none of.
type Missing struct{ Text string }

// Error says which value, and why there is none.
func (m Missing) Error() string { return m.Text }

// Evaluate asks the expression of a record. The error says why it is neither true nor false: Missing when a value was not there, or that it
// asked for too much. It takes bounded time and memory, and the same record always gives the same.
func (e *Expression) Evaluate(r *Record) (Result, error) {
	env, err := newEnvironment(r)
	if err != nil {
		return Result{}, err
	}
	program, err := env.Program(e.ast, cel.EvalOptions(cel.OptTrackState, cel.OptExhaustiveEval), cel.CostLimit(maxCost))
	if err != nil {
		return Result{}, fmt.Errorf("plan the expression: %w", err)
	}
	value, details, err := program.Eval(r.activation())
	out := Result{}
	if details != nil {
		x := explainer{e: e, env: env, state: details.State(), record: r}
		out.Values, out.Evidence = x.explain()
	}
	if err != nil {
		return out, reason(err)
	}
	truth, ok := value.(types.Bool)
	if !ok {
		return out, fmt.Errorf("the expression is %s, not true or false", typeWords(value.Type().TypeName()))
	}
	out.Holds = bool(truth)
	return out, nil
}

// reason says an error of CEL's in words.
func reason(err error) error {
	var missing noValue
	var cancelled interpreter.EvalCancelledError
	switch {
	case errors.As(err, &missing):
		return Missing{missing.Error()}
	case errors.As(err, &cancelled):
		return fmt.Errorf("the expression asks for too much: it would take more than %d steps", maxCost)
	}
	text := strings.TrimPrefix(err.Error(), "no such ")
	if text != err.Error() {
		return errors.New("there is no such " + text)
	}
	return err
}

// activation gives the variables their values.
func (r *Record) activation() map[string]any {
	vars := map[string]any{}
	for _, k := range Vocabulary() {
		if k.Variable != "" {
			vars[k.Variable] = r.one[k.Name]
		}
		if k.List != "" {
			vars[k.List] = r.lists[k.Name]
		}
	}
	return vars
}
