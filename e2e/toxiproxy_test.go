package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/internal/toxiapi"
)

const toxiproxyModule = "github.com/Shopify/toxiproxy/v2"

// serveAPI serves the Toxiproxy API until the test ends and returns its URL.
func serveAPI(t *testing.T, o toxiapi.Options) string {
	t.Helper()
	s, err := toxiapi.Listen(t.Context(), o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		require.NoError(t, <-ended)
	})
	return "http://" + s.Addr().String()
}

// goTool runsToxiproxy the Go tool in the module's root and returns what it wrote.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = ".."
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	require.NoError(t, err, "go %s\n%s%s", strings.Join(args, " "), out.String(), problems.String())
	return out.String()
}

// moduleCopy copies Toxiproxy's module, as the build uses it, and returns the -modfile that puts the copy in its place.
func moduleCopy(t *testing.T) (folder, modfile string) {
	t.Helper()
	dir := t.TempDir()
	folder, modfile = filepath.Join(dir, "toxiproxy"), filepath.Join(dir, "go.mod")
	module := strings.TrimSpace(goTool(t, "list", "-m", "-f", "{{.Dir}}", toxiproxyModule))
	require.NoError(t, os.CopyFS(folder, os.DirFS(module)))
	require.NoError(t, filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o700) // #nosec G302 -- the module cache is read only
	}))
	for from, to := range map[string]string{"../go.mod": modfile, "../go.sum": filepath.Join(dir, "go.sum")} {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, text, 0o600))
	}
	goTool(t, "mod", "edit", "-replace", toxiproxyModule+"="+folder, modfile)
	return folder, modfile
}

// passed runsToxiproxy tests of the copy and returns how many passed. One that fails fails this test, with what it said.
func passed(t *testing.T, modfile, pkg string, flags ...string) (n int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-json", "-count=1", "-vet=off", "-mod=mod", "-modfile=" + modfile}, append(flags, pkg)...)...)
	cmd.Dir = ".."
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	said, failed := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(string(out)) {
		var event struct{ Action, Test, Output string }
		require.NoError(t, json.Unmarshal([]byte(line), &event), line)
		said[event.Test] += event.Output
		switch event.Action {
		case "run", "fail":
			failed[event.Test] = true // until it passes: a panic ends all
		case "pass", "skip":
			failed[event.Test] = false
		}
		if event.Test != "" && event.Action == "pass" && !strings.Contains(event.Test, "/") {
			n++
		}
	}
	for test := range failed {
		if failed[test] {
			t.Errorf("%s %s:\n%s", pkg, test, said[test])
		}
	}
	assert.NoError(t, err, problems.String())
	return n
}

// TestToxiproxysOwnSuite runsToxiproxy the tests that Toxiproxy v2.12 has for its API, its proxies and its toxics against ours: its sources as they are, with
// the server's Go package replaced by one that asks our HTTP API.
func TestToxiproxysOwnSuite(t *testing.T) {
	const address = "127.0.0.1:8475" // the suite has it built in, as it has 3310, 7070, 7373 and 7575
	serveAPI(t, toxiapi.Options{Listen: address, Version: "git"})
	folder, modfile := moduleCopy(t)
	sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	for _, path := range sources {
		switch filepath.Base(path) {
		case "api_test.go", "toxiproxy_test.go", "proxy_test.go":
		default:
			require.NoError(t, os.Remove(path)) // the server, and tests of its insides
		}
	}
	shim, err := os.ReadFile(filepath.Join("testdata", "toxiproxy", "shim.go"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "shim.go"), shim, 0o600))
	differs := filepath.Join(folder, "proxy_test.go") // TestProxyDiffers is about a Go method that the API does not show
	text, err := os.ReadFile(differs)
	require.NoError(t, err)
	i := bytes.Index(text, []byte("func TestProxyDiffers("))
	require.Positive(t, i)
	require.NoError(t, os.WriteFile(differs, text[:i], 0o600))

	assert.Equal(t, 44, passed(t, modfile, toxiproxyModule))
	assert.Equal(t, 1, passed(t, modfile, toxiproxyModule+"/client"))
	// The others assert that some time took no longer than 10 ms, or test the Go types of the toxics alone.
	assert.Equal(t, 6, passed(t, modfile, toxiproxyModule+"/toxics", "-run",
		"^Test(PersistentConnections|ToxicAddRemove|TimeoutToxicDoesNotCauseHang|TimeoutToxicClosesConnectionOnRemove|ResetToxicNoTimeout|LatencyToxicCloseRace)$"))
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}
