package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// binary is the built service; servers are what it depends on, shared by all
// tests, each of which has a database of its own.
var (
	binary  string
	servers *serverSet
)

func TestMain(m *testing.M) { os.Exit(testAll(m)) }

func testAll(m *testing.M) (code int) {
	flag.Parse()
	// Nearly all of a test is waiting for another process.
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
	}
	dir, err := os.MkdirTemp("", "smd-test-")
	if err != nil {
		return complain(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the unprivileged servers must get in
		return complain(err)
	}
	binary = filepath.Join(dir, "smd")
	args := []string{"build", "-o", binary}
	if os.Getenv("SMD_TEST_RACE") != "" {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		return complain(fmt.Errorf("go build: %w\n%s", err, out))
	}
	servers, err = startServers(dir)
	if servers != nil {
		defer servers.stop()
	}
	if err != nil {
		return complain(err)
	}
	if code = m.Run(); code != 0 {
		return code
	}
	servers.stop()
	if err := goleak.Find(); err != nil {
		return complain(err)
	}
	return code
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "smd tests:", err)
	return 1
}
