package expressions

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// explainer finds the parts of an expression that decided its value, and what they were.
type explainer struct {
	e        *Expression
	env      *cel.Env
	state    interpreter.EvalState
	record   *Record
	values   []string
	evidence []int
}

// maxValues bounds what is told of one expression.
const maxValues = 12

func (x *explainer) explain() ([]string, []int) {
	x.deciding(x.e.ast.NativeRep().Expr())
	slices.Sort(x.evidence)
	if len(x.values) > maxValues {
		more := len(x.values) - maxValues
		x.values = append(x.values[:maxValues], fmt.Sprintf("and %d more", more))
	}
	return x.values, slices.Compact(x.evidence)
}

// deciding walks down to the conditions that decided the value of e: of `a && b` that is false, the operands that are false.
func (x *explainer) deciding(e ast.Expr) {
	if e.Kind() != ast.CallKind {
		x.observed(e)
		return
	}
	call := e.AsCall()
	switch call.FunctionName() {
	case operators.LogicalAnd:
		x.operands(call.Args(), x.is(e, types.False), types.False)
	case operators.LogicalOr:
		x.operands(call.Args(), x.is(e, types.True), types.True)
	case operators.LogicalNot:
		x.deciding(call.Args()[0])
	case operators.Conditional:
		x.deciding(call.Args()[0])
		switch {
		case x.is(call.Args()[0], types.True):
			x.deciding(call.Args()[1])
		case x.is(call.Args()[0], types.False):
			x.deciding(call.Args()[2])
		}
	default:
		x.observed(e)
	}
}

// operands goes on with all operands, or with those alone that have the value which decides.
func (x *explainer) operands(args []ast.Expr, some bool, value ref.Val) {
	for _, a := range args {
		if !some || x.is(a, value) {
			x.deciding(a)
		}
	}
}

func (x *explainer) is(e ast.Expr, want ref.Val) bool {
	v, ok := x.state.Value(e.ID())
	return ok && v == want
}

// observed tells what e and its parts were, as far as they come from the record.
func (x *explainer) observed(e ast.Expr) {
	switch e.Kind() {
	case ast.SelectKind:
		if root := rootOf(e); root.Kind() != ast.IdentKind || x.global(root.AsIdent()) {
			x.tell(e)
		}
	case ast.IdentKind:
		if x.global(e.AsIdent()) {
			x.tell(e)
		}
	case ast.ComprehensionKind:
		x.tell(e)
		x.exceptions(e)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			x.observed(item)
		}
	case ast.CallKind:
		x.call(e)
	}
}

func (x *explainer) call(e ast.Expr) {
	call := e.AsCall()
	whole := []string{"orValue", "or", "value", "hasValue", operators.OptSelect, operators.Index, operators.OptIndex, "size"}
	if slices.Contains(whole, call.FunctionName()) {
		x.tell(e)
		return
	}
	before := len(x.values)
	if call.IsMemberFunction() {
		x.observed(call.Target())
	}
	for _, a := range call.Args() {
		x.observed(a)
	}
	if _, lookup := kindWith(call.FunctionName()); len(x.values) == before && len(call.Args()) > 0 && lookup {
		x.tell(e)
	}
}

func (x *explainer) global(name string) bool {
	for _, k := range Vocabulary() {
		if k.Variable == name || k.List == name {
			return true
		}
	}
	return false
}

// rootOf is what a chain of fields begins with.
func rootOf(e ast.Expr) ast.Expr {
	for e.Kind() == ast.SelectKind {
		e = e.AsSelect().Operand()
	}
	return e
}

// tell notes the value of e, once, and what shows it.
func (x *explainer) tell(e ast.Expr) {
	text := x.textOf(e)
	v, ok := x.state.Value(e.ID())
	if !ok || text == "" {
		return
	}
	x.evidenceOf(e)
	var words string
	switch v := v.(type) {
	case *types.Err:
		words = text + ": " + reason(v).Error()
		if m, missing := reason(v).(Missing); missing { //nolint:errorlint // made here, never wrapped
			words = m.Text
		}
	case object:
		return
	default:
		words = text + " = " + format(v)
	}
	if !slices.Contains(x.values, words) {
		x.values = append(x.values, words)
	}
}

func (x *explainer) textOf(e ast.Expr) string {
	text, err := cel.ExprToString(e, x.e.ast.NativeRep().SourceInfo())
	if err != nil {
		return ""
	}
	return text
}

// evidenceOf collects what shows the objects that e speaks of.
func (x *explainer) evidenceOf(e ast.Expr) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(part ast.Expr) {
		switch part.Kind() {
		case ast.IdentKind:
			for _, k := range Vocabulary() {
				switch part.AsIdent() {
				case "":
				case k.Variable:
					x.evidence = append(x.evidence, x.record.one[k.Name].evidence...)
				case k.List:
					for _, o := range x.record.lists[k.Name] {
						x.evidence = append(x.evidence, o.evidence...)
					}
				}
			}
		case ast.CallKind:
			if v, ok := x.state.Value(part.ID()); ok {
				if o, is := v.(object); is {
					x.evidence = append(x.evidence, o.of.evidence...)
				}
			}
		}
	}))
}

// exceptions names the items because of which `list.all(...)` is false: it is asked again which of them there are.
func (x *explainer) exceptions(e ast.Expr) {
	macro, ok := x.e.ast.NativeRep().SourceInfo().GetMacroCall(e.ID())
	if !ok || macro.Kind() != ast.CallKind || macro.AsCall().FunctionName() != operators.All || !x.is(e, types.False) || len(macro.AsCall().Args()) != 2 {
		return
	}
	call := macro.AsCall()
	list, item, condition := x.textOf(call.Target()), x.textOf(call.Args()[0]), x.textOf(call.Args()[1])
	checked, issues := x.env.Compile(fmt.Sprintf("%s.filter(%s, !(%s))", list, item, condition))
	if issues.Err() != nil {
		return // it stands inside another one, whose item it speaks of
	}
	program, err := x.env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return
	}
	found, _, err := program.Eval(x.record.activation())
	if lister, is := found.(traits.Lister); err == nil && is {
		x.values[len(x.values)-1] += ": not for " + format(lister)
	}
}

// maxItems bounds the items of a list that are told.
const maxItems = 5

// format writes a value as an expression would, but numbers as people do.
func format(v ref.Val) string {
	switch v := v.(type) {
	case types.Double:
		return strconv.FormatFloat(float64(v), 'f', -1, 64)
	case types.String:
		text := []rune(string(v))
		if len(text) > 120 {
			text = append(text[:117], []rune("...")...)
		}
		return strconv.Quote(string(text))
	case object:
		return v.of.label + v.of.words()
	case *types.Optional:
		if !v.HasValue() {
			return "nothing"
		}
		return format(v.GetValue())
	case traits.Lister:
		return formatList(v)
	case *types.Err:
		return v.Error()
	}
	if counts, ok := v.Value().(map[string]int); ok {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			parts = append(parts, fmt.Sprintf("%s: %d", name, counts[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v.Value())
}

func formatList(v traits.Lister) string {
	size, ok := v.Size().(types.Int)
	if !ok {
		return "a list"
	}
	var items []string
	for i := range min(size, maxItems) {
		items = append(items, format(v.Get(i)))
	}
	if size > maxItems {
		items = append(items, fmt.Sprintf("and %d more", int64(size)-maxItems))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// words tells the plain values of an object, in the order of the vocabulary.
func (o *Object) words() string {
	var parts []string
	for _, f := range o.kind.Fields {
		v := o.values[f.Name]
		if v == nil || f.Name == "name" || f.Type == Times || f.Type == Counts {
			continue
		}
		if n, ok := v.(float64); ok {
			v = strconv.FormatFloat(n, 'f', -1, 64)
		}
		parts = append(parts, fmt.Sprintf("%s %v", f.Name, v))
	}
	return " {" + strings.Join(parts, ", ") + "}"
}
