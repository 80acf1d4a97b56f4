package e2e

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/internal/echo"
	"github.com/chaos-startup/chaos/internal/toxiapi"
)

// sayTo sends a line and returns what comes back, or the error.
func sayTo(t *testing.T, address, text string) (string, error) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	if _, err := io.WriteString(c, text+"\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

// toxiproxyCLI builds toxiproxy-cli v2.12.0 from its module.
func toxiproxyCLI(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "toxiproxy-cli")
	goTool(t, "build", "-modfile=tools/toxiproxy.mod", "-o", path, toxiproxyModule+"/cmd/cli")
	return path
}

// runProgram runs a program and returns what it wrote and its exit code.
func runProgram(t *testing.T, dir, name string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestToxiproxyCLI takes every command of toxiproxy-cli. Against a server with a token it has the token in its URL.
func TestToxiproxyCLI(t *testing.T) {
	programsOnly(t)
	cli := toxiproxyCLI(t)
	for name, token := range map[string]string{"as it is": "", "with a token": "s3cret"} {
		t.Run(name, func(t *testing.T) {
			url := serveAPI(t, toxiapi.Options{Listen: "127.0.0.1:0", Token: token})
			if token != "" {
				out, _ := runProgram(t, "", cli, "--host", url, "list")
				assert.Contains(t, out, "HTTP 401: a token is needed")
				url = strings.Replace(url, "http://", "http://:"+token+"@", 1)
			}
			run := func(code int, says string, args ...string) {
				t.Helper()
				out, got := runProgram(t, "", cli, append([]string{"--host", url}, args...)...)
				assert.Equal(t, code, got, "%q: %s", args, out)
				assert.Regexp(t, says, out, "%q", args)
			}
			up, listen := echo.Start(t), freeAddress(t)
			run(0, `^Created new proxy echo\n$`, "create", "--listen", listen, "--upstream", up, "echo")
			run(1, `HTTP 409: proxy already exists`, "create", "--listen", listen, "--upstream", up, "echo")
			run(0, `^echo\t`+listen+`\t`+up+`\tenabled\t0\n$`, "list")
			run(0, `^Added downstream latency toxic 'late' on proxy 'echo'\n$`, "toxic", "add", "-n", "late", "-t", "latency", "-a", "latency=200", "-a", "jitter=50", "echo")
			run(0, `late\ttype=latency\tstream=downstream\ttoxicity=1\.00\tattributes=\[\tjitter=50\tlatency=200\t\]`, "inspect", "echo")
			run(0, `^Updated toxic 'late'`, "toxic", "update", "-n", "late", "--toxicity", "0.5", "-a", "jitter=25", "echo")
			run(0, `toxicity=0\.50\tattributes=\[\tjitter=25\tlatency=200\t\]`, "inspect", "echo")
			run(1, `HTTP 400: latency.latency must be at least 0 ms, got -1`, "toxic", "update", "-n", "late", "-a", "latency=-1", "echo")
			run(0, `^Removed toxic 'late'`, "toxic", "remove", "-n", "late", "echo")
			run(0, `^Added downstream bandwidth toxic`, "toxic", "add", "-n", "CUT", "-t", "bandwidth", "-a", "rate=0", "echo")
			run(0, `^Removed toxic`, "toxic", "remove", "-n", "CUT", "echo")
			run(0, `^Added upstream flap toxic 'flap_upstream'`, "toxic", "add", "-t", "flap", "-u", "-a", "up=1s", "-a", "down=200", "echo")
			run(0, `flap_upstream\ttype=flap\tstream=upstream\ttoxicity=1\.00\tattributes=\[\tdown=200ms\tup=1s\t\]`, "inspect", "echo")
			run(0, `^Removed toxic`, "toxic", "remove", "-n", "flap_upstream", "echo")
			run(0, `now .*disabled`, "toggle", "echo")
			_, err := sayTo(t, listen, "hello")
			assert.True(t, errors.Is(err, syscall.ECONNREFUSED), "%v", err)
			run(0, `now .*enabled`, "toggle", "echo")
			back, err := sayTo(t, listen, "hello")
			assert.NoError(t, err)
			assert.Equal(t, "hello\n", back)
			run(0, `^Deleted proxy echo`, "delete", "echo")
			run(1, `HTTP 404: proxy not found`, "delete", "echo")
		})
	}
}

// TestToxiproxyGoClient drives the faults of the catalogue by Toxiproxy's Go client; its own tests are in TestToxiproxysOwnSuite.
func TestToxiproxyGoClient(t *testing.T) {
	client := toxiproxy.NewClient(serveAPI(t, toxiapi.Options{Listen: "127.0.0.1:0"}))
	proxy, err := client.CreateProxy("echo", "127.0.0.1:0", echo.Start(t))
	require.NoError(t, err)
	for _, c := range []struct {
		kind string
		met  error
	}{{"refuse", syscall.ECONNREFUSED}, {"cut", syscall.ECONNREFUSED}, {"accept_close", io.EOF}, {"reset_peer", syscall.ECONNRESET}} {
		_, err := proxy.AddToxic("", c.kind, "", 1, nil)
		require.NoError(t, err, c.kind)
		_, err = sayTo(t, proxy.Listen, "hello")
		assert.True(t, errors.Is(err, c.met) || c.met == io.EOF && errors.Is(err, syscall.ECONNRESET), "%s: %v", c.kind, err)
		require.NoError(t, client.ResetState())
		_, err = sayTo(t, proxy.Listen, "hello")
		assert.NoError(t, err, "after %s", c.kind)
	}
	_, err = proxy.AddToxic("", "refuse", "", 1, toxiproxy.Attributes{"errno": "ETIMEDOUT"})
	var refused *toxiproxy.ApiError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, 400, refused.Status)
	assert.Contains(t, refused.Message, "needs the connect interceptor")
	again, err := client.Proxy("echo")
	require.NoError(t, err)
	assert.Empty(t, again.ActiveToxics)
	require.NoError(t, again.Disable())
	require.NoError(t, again.Enable())
	require.NoError(t, again.Delete())
}

// TestToxiproxyNodeClient installs the npm client and drives the API with it.
func TestToxiproxyNodeClient(t *testing.T) {
	programsOnly(t)
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CHAOS_REQUIRE_SERVERS") == "1" {
			t.Fatal("CHAOS_REQUIRE_SERVERS=1, and there is no npm")
		}
		t.Skip("npm is not installed")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private": true}`), 0o600))
	out, code := runProgram(t, dir, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "toxiproxy-node-client@4.1.0")
	require.Zero(t, code, out)
	script, err := os.ReadFile(filepath.Join("testdata", "toxiproxy", "client.js"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "client.js"), script, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "client.js", serveAPI(t, toxiapi.Options{Listen: "127.0.0.1:0"}), echo.Start(t))
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
	assert.Equal(t, "all as expected\n", string(text))
}
