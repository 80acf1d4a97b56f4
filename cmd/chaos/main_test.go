package main

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/chaos-startup/chaos/internal/racedetector"
)

var update = flag.Bool("update", false, "write the golden files and the generated documents anew")

const raceVariable, raceOptions = "GORACE", "atexit_sleep_ms=10"

// TestMain makes two programs of this test binary that scripts and tests start as real processes: chaos itself, and a service with
// the weaknesses that the tests ask for.
func TestMain(m *testing.M) {
	// A program under the race detector waits for a second at its end, and these tests start hundreds.
	if err := os.Setenv(raceVariable, raceOptions); err != nil {
		panic(err)
	}
	testscript.Main(leakChecked{m}, map[string]func(){"chaos": main, "svc": service})
}

// leakChecked fails when a goroutine outlives the tests.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestScripts(t *testing.T) {
	p := testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true, Setup: setup, Cmds: scriptCommands(),
	}
	if racedetector.Enabled { // a second for each command, and nearly all of them run nothing side by side
		p.Dir, p.Files = "", []string{"testdata/script/run.txtar", "testdata/script/outputs.txtar", "testdata/script/proxy.txtar"}
	}
	testscript.Run(t, p)
}
