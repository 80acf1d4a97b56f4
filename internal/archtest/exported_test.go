package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// hiddenImports returns the imports of a file that no exported signature may show, by the name they have in the file.
func (s source) hiddenImports() map[string]string {
	hidden := map[string]string{}
	for i, imported := range s.imports() {
		inside := strings.HasPrefix(imported, module+"/") && strings.Contains(imported+"/", "/internal/")
		if !inside && !isToxiproxy(imported) {
			continue
		}
		name := path.Base(imported)
		if regexp.MustCompile(`^v\d+$`).MatchString(name) {
			name = path.Base(path.Dir(imported))
		}
		if named := s.file.Imports[i].Name; named != nil {
			name = named.Name
		}
		hidden[name] = imported
	}
	return hidden
}

// nothingInternalIsExported finds types of internal packages and of toxiproxy in what the public packages export. It reads
// declarations, so that a type which is only inferred is not seen; exported variables must therefore not call such a package.
func nothingInternalIsExported(s source) []string {
	hidden := s.hiddenImports()
	top, _, _ := strings.Cut(s.dir, "/")
	if s.test || len(hidden) == 0 || top == "internal" || top == "cmd" || top == "examples" {
		return nil
	}
	var wrong []string
	for _, d := range s.file.Decls {
		for name, shown := range exportedParts(d) {
			for _, part := range shown {
				ast.Inspect(part, func(n ast.Node) bool {
					if x, ok := n.(*ast.SelectorExpr); ok {
						if id, ok := x.X.(*ast.Ident); ok && hidden[id.Name] != "" {
							wrong = append(wrong, fmt.Sprintf("%s shows %s.%s, which is of %s", name, id.Name, x.Sel.Name, hidden[id.Name]))
						}
					}
					return true
				})
			}
		}
	}
	return wrong
}

// exportedParts returns what a declaration shows to other packages, by the exported name.
func exportedParts(d ast.Decl) map[string][]ast.Node {
	shown := map[string][]ast.Node{}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
			shown[d.Name.Name] = []ast.Node{d.Type}
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					shown[spec.Name.Name] = typeParts(spec.Type)
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if name.IsExported() {
						shown[name.Name] = []ast.Node{spec}
					}
				}
			}
		}
	}
	return shown
}

// typeParts returns what a type shows: of a struct only the exported and the embedded fields.
func typeParts(x ast.Expr) []ast.Node {
	body, ok := x.(*ast.StructType)
	if !ok {
		return []ast.Node{x}
	}
	var parts []ast.Node
	for _, f := range body.Fields.List {
		exported := len(f.Names) == 0
		for _, n := range f.Names {
			exported = exported || n.IsExported()
		}
		if exported {
			parts = append(parts, f.Type)
		}
	}
	return parts
}

// receiver returns the name of a method's type.
func receiver(f *ast.FuncDecl) string {
	x := f.Recv.List[0].Type
	for {
		switch y := x.(type) {
		case *ast.StarExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.IndexListExpr:
			x = y.X
		case *ast.Ident:
			return y.Name
		default:
			return ""
		}
	}
}

// exportedNamesAreDocumented finds exported functions, methods, types, constants and variables without a comment. A comment on a
// group is one for all of it.
func exportedNamesAreDocumented(s source) []string {
	if s.test || s.file.Name.Name == "main" {
		return nil
	}
	var wrong []string
	missing := func(n ast.Node, name string) {
		wrong = append(wrong, fmt.Sprintf("line %d: %s has no comment", s.line(n), name))
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ast.IsExported(receiver(d))) && !isErrorMethod(d) {
				missing(d, d.Name.Name)
			}
		case *ast.GenDecl:
			if d.Tok != token.IMPORT {
				undocumented(d, missing)
			}
		}
	}
	return wrong
}

func undocumented(d *ast.GenDecl, missing func(ast.Node, string)) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				missing(spec, spec.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					missing(spec, name.Name)
				}
			}
		}
	}
}

// isErrorMethod reports whether a method is one whose name says everything.
func isErrorMethod(f *ast.FuncDecl) bool {
	return f.Recv != nil && (f.Name.Name == "Error" || f.Name.Name == "Unwrap" || f.Name.Name == "Is" || f.Name.Name == "String")
}
