package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// rule is one sentence about every file. except lists the files that may break it, each with the reason why.
type rule struct {
	name   string
	breaks func(s source) []string
	except map[string]string
}

func (r rule) check(s source) []string {
	if r.except[s.path] != "" {
		return nil
	}
	return r.breaks(s)
}

func rules() []rule {
	return []rule{
		{name: "imports point down", breaks: importsPointDown, except: map[string]string{
			"faults/faultstest/bench_test.go": "the exam of every fault runs on real sockets, through internal/proxy",
			"faults/faultstest/exam_test.go":  "the exam of every fault runs on real sockets, through internal/proxy",
			"faults/faultstest/names_test.go": "the exam of faults of names, through internal/resolver",
		}},
		{name: "toxiproxy stays inside", breaks: toxiproxyStaysInside, except: map[string]string{
			"internal/toxiapi/stock_test.go": "stock Toxiproxy is asked the same as our API, and the answers are compared",
			"e2e/toxiproxy_clients_test.go":  "Toxiproxy's Go client drives our API",
		}},
		{name: "nothing internal is exported", breaks: nothingInternalIsExported},
		{name: "goroutines have an owner", breaks: goroutinesHaveAnOwner, except: map[string]string{
			"cmd/chaos/signals.go":  "waits for signals as long as the process lives",
			"cmd/chaos/progress.go": "redraws the live lines; stop waits for it",
			"probes/parallel.go":    "asks several times at once, and waits for all of them before it returns",
		}},
		{name: "no registration behind the reader's back", breaks: noHiddenRegistration},
		{name: "no sleeping in tests", breaks: noSleepingInTests, except: map[string]string{
			"faults/link_test.go":            "virtual time: the sleep is inside a synctest bubble",
			"internal/process/parts_test.go": "a process under test that does not end by itself",
			"cmd/chaos/service_test.go":      "a process under test, with a pause between its retries",
			"internal/proxy/proxy_test.go":   "random pauses between flips of faults; nothing is waited for",
		}},
		{name: "no context in a struct", breaks: noContextInAStruct, except: map[string]string{
			"runner/lab_test.go": "a bundle of arguments of one test",
		}},
		{name: "files are short", breaks: filesAreShort},
		{name: "functions are short", breaks: functionsAreShort},
		{name: "exported names are documented", breaks: exportedNamesAreDocumented},
		{name: "sources are ASCII", breaks: sourcesAreASCII},
		{name: "packages are nouns of the domain", breaks: packagesAreNouns},
	}
}

// levels is the straight line of ARCHITECTURE.md, from the bottom. A package may import its own folder and lower levels.
var levels = [][]string{
	{"timeline"},
	{"expressions", "orchestrators"},
	{"faults", "phases", "probes", "contracts", "traffic"},
	{"experiments", "internal"},
	{"reports"},
	{"runner"},
	{"chaostest"},
	{"cmd", "e2e", "bench"},
}

func levelOf(folder string) int {
	return slices.IndexFunc(levels, func(l []string) bool { return slices.Contains(l, folder) })
}

// ownImports returns the imports of s that are of this module, without the module's name: "" is the root package.
func (s source) ownImports() []string {
	var own []string
	for _, path := range s.imports() {
		if path == module || strings.HasPrefix(path, module+"/") {
			own = append(own, strings.TrimPrefix(strings.TrimPrefix(path, module), "/"))
		}
	}
	return own
}

func (s source) imports() []string {
	var all []string
	for _, i := range s.file.Imports {
		if path, err := strconv.Unquote(i.Path.Value); err == nil {
			all = append(all, path)
		}
	}
	return all
}

func importsPointDown(s source) []string {
	var wrong []string
	top, _, _ := strings.Cut(s.dir, "/")
	for _, path := range s.ownImports() {
		folder, _, _ := strings.Cut(path, "/")
		switch {
		case top == "examples":
			example := strings.Join(strings.SplitN(s.dir, "/", 3)[:2], "/")
			if path != example && !strings.HasPrefix(path, example+"/") {
				wrong = append(wrong, "an example imports "+path+", but it stands for somebody else's service")
			}
		case folder == top:
		case levelOf(top) < 0:
			wrong = append(wrong, fmt.Sprintf("folder %s has no level; say in levels what it may import", top))
		case levelOf(folder) < 0 || levelOf(folder) >= levelOf(top):
			wrong = append(wrong, fmt.Sprintf("%s must not import %s: imports point down only", s.dir, path))
		}
	}
	return wrong
}

func toxiproxyStaysInside(s source) []string {
	if s.dir == "internal/proxy" {
		return nil
	}
	var wrong []string
	for _, path := range s.imports() {
		if isToxiproxy(path) {
			wrong = append(wrong, "imports "+path+"; only internal/proxy does")
		}
	}
	return wrong
}

func isToxiproxy(path string) bool {
	return strings.HasPrefix(strings.ToLower(path), "github.com/shopify/toxiproxy")
}

// goroutinesHaveAnOwner finds go statements, and the Go methods of wait groups, outside the packages that run things.
func goroutinesHaveAnOwner(s source) []string {
	top, _, _ := strings.Cut(s.dir, "/")
	if s.test || top == "runner" || top == "internal" || top == "examples" {
		return nil
	}
	var wrong []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			wrong = append(wrong, fmt.Sprintf("line %d starts a goroutine; only runner and internal do", s.line(n)))
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Go" && len(n.Args) == 1 {
				wrong = append(wrong, fmt.Sprintf("line %d starts a goroutine; only runner and internal do", s.line(n)))
			}
		}
		return true
	})
	return wrong
}

// noHiddenRegistration finds init functions, and blank imports outside tests: a test may need a database/sql driver.
func noHiddenRegistration(s source) []string {
	var wrong []string
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			wrong = append(wrong, fmt.Sprintf("line %d: func init; register in Builtin instead", s.line(f)))
		}
	}
	for _, i := range s.file.Imports {
		if !s.test && i.Name != nil && i.Name.Name == "_" && i.Path.Value != `"embed"` {
			wrong = append(wrong, "imports "+i.Path.Value+" only for what its init does")
		}
	}
	return wrong
}

func noSleepingInTests(s source) []string {
	if !s.test {
		return nil
	}
	var wrong []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		if f, ok := n.(*ast.SelectorExpr); ok && f.Sel.Name == "Sleep" && isName(f.X, "time") {
			wrong = append(wrong, fmt.Sprintf("line %d sleeps; wait for a signal instead", s.line(f)))
		}
		return true
	})
	return wrong
}

func isName(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}

func noContextInAStruct(s source) []string {
	var wrong []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		body, ok := n.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range body.Fields.List {
			if x, ok := f.Type.(*ast.SelectorExpr); ok && isName(x.X, "context") && x.Sel.Name == "Context" {
				wrong = append(wrong, fmt.Sprintf("line %d keeps a context in a struct; pass it as the first argument", s.line(f)))
			}
		}
		return true
	})
	return wrong
}

const (
	maxFileLines     = 400
	maxFunctionLines = 60
)

func filesAreShort(s source) []string {
	if s.test || s.lines <= maxFileLines {
		return nil
	}
	return []string{fmt.Sprintf("%d lines; split it (at most %d)", s.lines, maxFileLines)}
}

func functionsAreShort(s source) []string {
	if s.test {
		return nil
	}
	var wrong []string
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := s.set.Position(f.End()).Line - s.line(f) + 1; n > maxFunctionLines {
			wrong = append(wrong, fmt.Sprintf("%s has %d lines; split it (at most %d)", f.Name.Name, n, maxFunctionLines))
		}
	}
	return wrong
}

func sourcesAreASCII(s source) []string {
	if s.test {
		return nil
	}
	for n, line := range strings.Split(s.text, "\n") {
		if i := strings.IndexFunc(line, func(r rune) bool { return r > unicode.MaxASCII }); i >= 0 {
			return []string{fmt.Sprintf("line %d is not plain ASCII", n+1)}
		}
	}
	return nil
}

func packagesAreNouns(s source) []string {
	for _, bad := range []string{"util", "utils", "common", "types", "helpers", "misc", "base"} {
		if s.file.Name.Name == bad {
			return []string{"a package named " + bad + " says nothing"}
		}
	}
	return nil
}
