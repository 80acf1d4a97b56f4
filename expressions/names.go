package expressions

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// function declares the function of a kind, which takes a name and returns the object of that name.
func function(k Kind, r *Record) cel.EnvOption {
	options := []cel.OverloadOpt{}
	if r != nil {
		options = append(options, cel.UnaryBinding(func(arg ref.Val) ref.Val {
			name, ok := arg.(types.String)
			if !ok {
				return types.MaybeNoSuchOverloadErr(arg)
			}
			return object{r.named(k, string(name))}
		}))
	}
	return cel.Function(k.Function, cel.Overload(k.Function+"_string", []*cel.Type{types.StringType}, objectType(k), options...))
}

// unknownNames reports constant names that the file does not declare.
func (e *Expression) unknownNames(names Names) []Problem {
	var out []Problem
	tree := e.ast.NativeRep()
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if x.Kind() != ast.CallKind || len(x.AsCall().Args()) != 1 || x.AsCall().IsMemberFunction() {
			return
		}
		k, ok := kindWith(x.AsCall().FunctionName())
		declared, checked := names[k.Name]
		arg := x.AsCall().Args()[0]
		if !ok || !checked || arg.Kind() != ast.LiteralKind {
			return
		}
		name, ok := arg.AsLiteral().(types.String)
		if !ok || slices.Contains(declared, string(name)) {
			return
		}
		at := tree.SourceInfo().GetStartLocation(arg.ID())
		p := Problem{Line: at.Line(), Column: at.Column() + 1, Text: fmt.Sprintf("unknown %s `%s`", k.Name, string(name)), Wrong: string(name), Known: declared}
		if len(declared) == 0 {
			p.Text += ": no " + k.Name + " is declared"
		}
		out = append(out, p)
	}))
	return out
}

// kindWith returns the kind that has a function.
func kindWith(function string) (Kind, bool) {
	for _, k := range Vocabulary() {
		if k.Function != "" && k.Function == function {
			return k, true
		}
	}
	return Kind{}, false
}

// kindsWithout guesses the kind of the object of which a field was asked that it lacks: the checker says where and not of what.
func kindsWithout(tree *ast.AST, id int64, field string) []Kind {
	if tree == nil {
		return nil
	}
	var found []Kind
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if x.Kind() != ast.SelectKind || x.AsSelect().FieldName() != field || (id != 0 && x.ID() != id) {
			return
		}
		switch operand := x.AsSelect().Operand(); operand.Kind() {
		case ast.IdentKind:
			for _, k := range Vocabulary() {
				if k.Variable == operand.AsIdent() {
					found = append(found, k)
				}
			}
		case ast.CallKind:
			call := operand.AsCall()
			if k, ok := kindWith(call.FunctionName()); ok {
				found = append(found, k)
			}
			if args := call.Args(); call.FunctionName() == "_[_]" && len(args) == 2 && args[0].Kind() == ast.IdentKind {
				for _, k := range Vocabulary() {
					if k.List == args[0].AsIdent() {
						found = append(found, k)
					}
				}
			}
		}
	}))
	return found
}
