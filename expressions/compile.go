package expressions

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// Bounds of an expression and of its evaluation: far above what a person writes, far below what would be noticed.
const (
	maxCharacters = 4000
	maxDepth      = 60
	maxNodes      = 2000
	maxRegexp     = 1000
	maxCost       = 1_000_000
)

// Problem is one mistake in an expression. Line and Column count from 1, in characters, within the text.
type Problem struct {
	Line, Column int
	Text         string
	Expected     string
	Wrong        string   // the name that nobody knows, or ""
	Known        []string // what it may have been meant to be
}

// Names are the names that a file declares, by kind ("dependency", "phase", "proof"): a constant argument of the function of that kind must be
// among them. A kind that is missing is not checked.
type Names map[string][]string

// Expression is a checked expression that yields true or false.
type Expression struct {
	text string
	ast  *cel.Ast
}

// environment is what expressions are checked against. It has the functions' types and no bindings: they need a record.
var environment = sync.OnceValues(func() (*cel.Env, error) { return newEnvironment(nil) })

// newEnvironment declares the vocabulary; with a record the functions answer from it.
func newEnvironment(r *Record) (*cel.Env, error) {
	p, err := newProvider()
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(p), cel.CustomTypeAdapter(p), cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true), cel.EnableMacroCallTracking(),
		cel.ParserExpressionSizeLimit(maxCharacters), cel.ParserRecursionLimit(maxDepth), cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegexp),
	}
	for _, k := range Vocabulary() {
		if k.Variable != "" {
			options = append(options, cel.Variable(k.Variable, objectType(k)))
		}
		if k.List != "" {
			options = append(options, cel.Variable(k.List, types.NewListType(objectType(k))))
		}
		if k.Function != "" {
			options = append(options, function(k, r))
		}
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("make CEL's environment: %w", err)
	}
	return env, nil
}

// Compile parses and checks a text. Either the expression or at least one problem is returned.
func Compile(text string, names Names) (*Expression, []Problem) {
	if strings.TrimSpace(text) == "" {
		return nil, []Problem{{Line: 1, Column: 1, Text: "the expression is empty", Expected: "something that is true or false, such as trial.ready_ms < 30000"}}
	}
	if n := len([]rune(text)); n > maxCharacters {
		return nil, []Problem{{Line: 1, Column: 1, Text: fmt.Sprintf("the expression has %d characters", n), Expected: fmt.Sprintf("at most %d", maxCharacters)}}
	}
	env, err := environment()
	if err != nil {
		return nil, []Problem{{Line: 1, Column: 1, Text: err.Error()}}
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		var out []Problem
		for _, e := range issues.Errors() {
			out = append(out, explained(e, checkedSoFar(env, text)))
		}
		return nil, out
	}
	e := &Expression{text: text, ast: checked}
	problems := e.unknownNames(names)
	if !checked.OutputType().IsExactType(types.BoolType) && !checked.OutputType().IsExactType(types.DynType) {
		problems = append(problems, Problem{Line: 1, Column: 1, Text: "the expression is " + typeWords(checked.OutputType().String()) + ", not true or false",
			Expected: "a comparison, such as " + strings.TrimSpace(text) + " < 30000"})
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return e, nil
}

// checkedSoFar is the tree of a text that parses but does not check, or nil.
func checkedSoFar(env *cel.Env, text string) *ast.AST {
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil
	}
	return parsed.NativeRep()
}

var (
	unknownField = regexp.MustCompile(`^undefined field '([^']*)'`)
	unknownName  = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	noOverload   = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	noFields     = regexp.MustCompile(`^type '([^']*)' does not support field selection`)
)

const syntaxError = "Syntax error: "

// explained says a message of CEL's in the words of the vocabulary.
func explained(e *common.Error, tree *ast.AST) Problem {
	p := Problem{Line: e.Location.Line(), Column: e.Location.Column() + 1, Text: e.Message}
	switch {
	case strings.HasPrefix(e.Message, syntaxError):
		p.Text = "not an expression: " + syntax(strings.TrimPrefix(e.Message, syntaxError))
	case noFields.MatchString(e.Message):
		p.Text = typeWords(noFields.FindStringSubmatch(e.Message)[1]) + " has no fields"
	case unknownField.MatchString(e.Message):
		p.Wrong = unknownField.FindStringSubmatch(e.Message)[1]
		p.Text = "unknown field `" + p.Wrong + "`"
		p.Column++ // the checker points at the dot
		kinds := kindsWithout(tree, e.ExprID, p.Wrong)
		if len(kinds) > 0 {
			p.Text += " of " + kinds[0].Name
		} else {
			kinds = Vocabulary() // of the item of a list
		}
		for _, k := range kinds {
			for _, f := range k.Fields {
				p.Known = append(p.Known, f.Name)
			}
		}
	case unknownName.MatchString(e.Message):
		p.Wrong = unknownName.FindStringSubmatch(e.Message)[1]
		p.Text, p.Known = "unknown name `"+p.Wrong+"`", known()
	case noOverload.MatchString(e.Message):
		m := noOverload.FindStringSubmatch(e.Message)
		p.Text, p.Expected = overload(m[1], m[2])
	}
	return p
}

// syntax leaves out of the parser's message the tokens that might have followed.
func syntax(message string) string {
	message, _, _ = strings.Cut(message, " expecting ")
	if strings.Contains(message, "'<EOF>'") {
		return "it ends too early"
	}
	return strings.ToLower(message[:1]) + message[1:]
}

// known lists the variables and functions.
func known() []string {
	var names []string
	for _, k := range Vocabulary() {
		for _, n := range []string{k.Variable, k.List, k.Function} {
			if n != "" {
				names = append(names, n)
			}
		}
	}
	return append(names, "has", "size", "double", "int", "string", "matches")
}

// overload explains an operator or function that does not take what it was given.
func overload(name, given string) (text, expected string) {
	operator := strings.Trim(name, "_?:[]@")
	given = strings.Trim(given, "()")
	if i := strings.Index(given, ".("); i >= 0 { // a member function: TARGET.(ARGS)
		given = given[:i] + " and " + given[i+2:]
	}
	var kinds []string
	for _, g := range strings.Split(given, ", ") {
		kinds = append(kinds, typeWords(g))
	}
	text = "`" + operator + "` cannot take " + strings.Join(kinds, " and ")
	if strings.Contains(given, "double") && strings.Contains(given, "int") {
		expected = "numbers of one type: write 5.0 for 5, or double(x)"
	}
	return text, expected
}

// typeWords names a type for people.
func typeWords(t string) string {
	switch t = strings.TrimPrefix(t, "chaos."); t {
	case "double":
		return "a number (double)"
	case "int":
		return "a whole number (int)"
	case "string":
		return "text (string)"
	case "bool":
		return "true or false (bool)"
	}
	if item, ok := strings.CutPrefix(t, "list("); ok {
		return "a list of " + strings.TrimPrefix(strings.TrimSuffix(item, ")"), "chaos.")
	}
	if _, ok := kindNamed(t); ok {
		return "a " + t
	}
	return t
}
