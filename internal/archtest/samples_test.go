package archtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sample is a file that breaks one rule, or is an edge that none may find wrong.
type sample struct {
	rule, path, text string
	wrong            bool
}

func samples() []sample {
	own := func(path string) string { return `"` + module + "/" + path + `"` }
	imports := func(paths ...string) string {
		return "package x\nimport (\n" + strings.Join(paths, "\n") + "\n)\n"
	}
	const toxi = `"github.com/Shopify/toxiproxy/v2/toxics"`
	return []sample{
		{"imports point down", "timeline/a.go", imports(own("contracts")), true},
		{"imports point down", "contracts/a.go", imports(own("faults")), true},
		{"imports point down", "contracts/a_test.go", imports(own("runner")), true},
		{"imports point down", "reports/a.go", imports(own("runner")), true},
		{"imports point down", "experiments/a.go", imports(own("internal/proxy")), true},
		{"imports point down", "internal/proxy/a.go", imports(own("experiments")), true},
		{"imports point down", "runner/a.go", imports(own("cmd/chaos")), true},
		{"imports point down", "fresh/a.go", imports(own("timeline")), true},
		{"imports point down", "runner/a.go", imports(own("fresh")), true},
		{"imports point down", "examples/smd/a.go", imports(own("timeline")), true},
		{"imports point down", "examples/smd/a.go", imports(own("examples/other")), true},
		{"imports point down", "examples/smd/a.go", imports(own("examples/smd/internal/store"), `"fmt"`), false},
		{"imports point down", "runner/a.go", imports(own("reports"), own("internal/proxy"), own("timeline")), false},
		{"imports point down", "chaostest/a.go", imports(own("runner"), own("reports")), false},
		{"imports point down", "runner/a_test.go", imports(own("runner")), false},
		{"toxiproxy stays inside", "faults/a.go", imports(toxi), true},
		{"toxiproxy stays inside", "internal/proxy/a.go", imports(toxi), false},
		{"nothing internal is exported", "runner/a.go", imports(own("internal/proxy")) + "func F() *proxy.Front { return nil }", true},
		{"nothing internal is exported", "runner/a.go", imports("p "+own("internal/proxy")) + "type T struct{ Front []p.Front }", true},
		{"nothing internal is exported", "runner/a.go", imports(own("internal/proxy")) + "type T struct{ proxy.Front }", true},
		{"nothing internal is exported", "runner/a.go", imports(own("internal/proxy")) + "type T interface{ M(proxy.Front) }", true},
		{"nothing internal is exported", "runner/a.go", imports(own("internal/proxy")) + "type T = proxy.Front", true},
		{"nothing internal is exported", "runner/a.go", imports(own("internal/proxy")) + "var V = proxy.New()", true},
		{"nothing internal is exported", "runner/a.go", imports(`"github.com/Shopify/toxiproxy/v2"`) + "type T struct{}\nfunc (*T) M(toxiproxy.Proxy) {}", true},
		{"nothing internal is exported", "runner/a.go", imports(own("internal/proxy")) + "type T struct{ front proxy.Front }\nfunc (t T) f() proxy.Front { return t.front }", false},
		{"nothing internal is exported", "runner/a.go", imports(own("internal/proxy")) + "type t struct{}\nfunc (t) M() proxy.Front { panic(0) }", false},
		{"nothing internal is exported", "runner/a.go", imports(own("internal/proxy")) + "func F() { proxy.New() }", false},
		{"goroutines have an owner", "probes/a.go", "package x\nfunc f() { go f() }", true},
		{"goroutines have an owner", "probes/a.go", "package x\nfunc f() { wg.Go(f) }", true},
		{"goroutines have an owner", "cmd/chaos/run.go", "package x\nfunc f() { go f() }", true},
		{"goroutines have an owner", "runner/a.go", "package x\nfunc f() { go f() }", false},
		{"goroutines have an owner", "probes/a_test.go", "package x\nfunc f() { go f() }", false},
		{"no registration behind the reader's back", "faults/a.go", "package x\nfunc init() {}", true},
		{"no registration behind the reader's back", "faults/a.go", imports(`_ "modernc.org/sqlite"`), true},
		{"no registration behind the reader's back", "faults/a.go", imports(`_ "embed"`) + "type t struct{}\nfunc (t) init() {}", false},
		{"no sleeping in tests", "faults/a_test.go", "package x\nfunc f() { time.Sleep(1) }", true},
		{"no sleeping in tests", "faults/a.go", "package x\nfunc f() { time.Sleep(1) }", false},
		{"no context in a struct", "faults/a.go", "package x\ntype t struct { ctx context.Context }", true},
		{"no context in a struct", "faults/a.go", "package x\ntype t struct { f func(context.Context) }", false},
		{"files are short", "faults/a.go", "package x\n" + strings.Repeat("\n", 400), true},
		{"files are short", "faults/a_test.go", "package x\n" + strings.Repeat("\n", 400), false},
		{"functions are short", "faults/a.go", "package x\nfunc f() {" + strings.Repeat("\n", 60) + "}", true},
		{"functions are short", "faults/a.go", "package x\nfunc f() {" + strings.Repeat("\n", 59) + "}", false},
		{"exported names are documented", "faults/a.go", "package x\nfunc F() {}", true},
		{"exported names are documented", "faults/a.go", "package x\ntype T struct{}", true},
		{"exported names are documented", "faults/a.go", "package x\n// T.\ntype T struct{}\nfunc (*T) M() {}", true},
		{"exported names are documented", "faults/a.go", "package x\nvar V, w int", true},
		{"exported names are documented", "faults/a.go", "package x\n// A and B.\nconst (\n\tA = 1\n\tB = 2\n)\ntype t struct{}\nfunc (t) M() {}\nfunc f() {}", false},
		{"sources are ASCII", "faults/a.go", "package x\n// caf\u00e9\n", true},
		{"packages are nouns of the domain", "util/a.go", "package util\n", true},
	}
}

// TestTheRulesCatch proves the instrument: every rule finds what breaks it, and nothing else.
func TestTheRulesCatch(t *testing.T) {
	byName, caught := map[string]rule{}, map[string]bool{}
	for _, r := range rules() {
		byName[r.name] = r
	}
	for i, s := range samples() {
		t.Run(fmt.Sprintf("%02d %s", i, s.rule), func(t *testing.T) {
			r, ok := byName[s.rule]
			require.True(t, ok, "there is no such rule")
			found := r.check(parse(t, s.path, []byte(s.text)))
			assert.Equal(t, s.wrong, len(found) > 0, "%s\n%s\nfound: %q", s.path, s.text, found)
			caught[s.rule] = caught[s.rule] || s.wrong
		})
	}
	for name := range byName {
		assert.True(t, caught[name], "no sample breaks the rule %q", name)
	}
}

func TestMachinePaths(t *testing.T) {
	work, home := "/"+"work/main/x.go", "/"+"home/ann/.cache"
	assert.Equal(t, []string{home, work}, machinePaths("see "+work+" and '"+home+"'"))
	assert.Empty(t, machinePaths("example.com"+work+" a"+home+" \x00 "+work))
	assert.Empty(t, machinePaths("https://example.com/"+"work/"))
}
