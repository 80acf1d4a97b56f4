// Package archtest holds the architecture of ARCHITECTURE.md as tests: who may import whom, who may start goroutines, and how
// files are written. It has no code of its own, and it looks at sources only: it builds and runs nothing.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/chaos-startup/chaos"

// source is one Go file.
type source struct {
	path  string // from the module's root, with slashes
	dir   string // the folder of path; "." is the root
	test  bool
	lines int
	text  string
	set   *token.FileSet
	file  *ast.File
}

// parse reads a Go file that should be at path.
func parse(t *testing.T, path string, text []byte) source {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments)
	require.NoError(t, err)
	dir := filepath.ToSlash(filepath.Dir(path))
	return source{path, dir, strings.HasSuffix(path, "_test.go"), strings.Count(string(text), "\n"), string(text), set, file}
}

// line returns the line of a node.
func (s source) line(n ast.Node) int { return s.set.Position(n.Pos()).Line }

// load parses every Go file of the module that the go tool builds or tests.
func load(t *testing.T) []source {
	t.Helper()
	var all []source
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (name == "testdata" || name == "bin" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		path, err = filepath.Rel(root, path)
		all = append(all, parse(t, filepath.ToSlash(path), text))
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// TestRules holds every rule over every file.
func TestRules(t *testing.T) {
	all := load(t)
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, s := range all {
				for _, wrong := range r.check(s) {
					t.Errorf("%s: %s", s.path, wrong)
				}
			}
			unused(t, r, all)
		})
	}
}

// unused reports exceptions that are for nothing: the file is gone, or it breaks the rule no more.
func unused(t *testing.T, r rule, all []source) {
	t.Helper()
	for path := range r.except {
		broken := false
		for _, s := range all {
			broken = broken || s.path == path && len(r.breaks(s)) > 0
		}
		if !broken {
			t.Errorf("the exception for %s is for nothing: take it out", path)
		}
	}
}

// TestEveryPackageSaysWhatItIs requires one package comment per package, which begins as go doc expects it.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	comments, packages := map[string][]string{}, map[string]string{}
	for _, s := range load(t) {
		name := s.file.Name.Name
		if strings.HasSuffix(name, "_test") {
			continue
		}
		if !s.test || packages[s.dir] == "" {
			packages[s.dir] = name
		}
		if s.file.Doc != nil {
			comments[s.dir] = append(comments[s.dir], s.file.Doc.Text())
		}
	}
	for dir, name := range packages {
		switch said := comments[dir]; {
		case len(said) == 0:
			t.Errorf("%s: package %s has no comment that says what it is and what it refuses to do", dir, name)
		case len(said) > 1:
			t.Errorf("%s: package %s has %d package comments; expected one", dir, name, len(said))
		case name != "main" && !strings.HasPrefix(said[0], "Package "+name+" "):
			t.Errorf("%s: the comment of package %s should begin with Package %s", dir, name, name)
		}
	}
}

// TestNoPathsOfOneMachine finds paths that exist only where the code was written. What git tracks is looked at, or everything.
func TestNoPathsOfOneMachine(t *testing.T) {
	root := filepath.Join("..", "..")
	out, err := exec.Command("git", "-C", root, "ls-files", "-z").Output()
	files := strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	if err != nil || len(files) == 0 {
		files = nil
		for _, s := range load(t) {
			files = append(files, s.path)
		}
	}
	for _, path := range files {
		text, err := os.ReadFile(filepath.Join(root, path))
		if os.IsNotExist(err) {
			continue // removed, and the removal is not committed yet
		}
		require.NoError(t, err)
		for _, p := range machinePaths(string(text)) {
			t.Errorf("%s: %s is a path of one machine", path, p)
		}
	}
}

// machinePaths returns what looks like a path in the home folder of whoever wrote a text. Binary files have none.
func machinePaths(text string) []string {
	if strings.ContainsRune(text, 0) {
		return nil
	}
	var found []string
	for _, folder := range []string{"work", "root", "home", "Users"} {
		for rest := text; ; {
			i := strings.Index(rest, "/"+folder+"/")
			if i < 0 {
				break
			}
			if before := rest[:i]; before == "" || strings.ContainsAny(before[len(before)-1:], " \t\n\"'`=:(,[") {
				end := strings.IndexAny(rest[i:]+"\n", " \t\n\"'`),]")
				found = append(found, rest[i:i+end])
			}
			rest = rest[i+1:]
		}
	}
	sort.Strings(found)
	return found
}
