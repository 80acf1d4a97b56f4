package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// peer is a proxy process before an upstream, or nothing at all (direct).
type peer struct {
	addr netip.AddrPort
	pid  int    // 0: there is no process
	most int    // connections that it may have; 0: as many as it has descriptors for
	api  string // of the peers that have Toxiproxy's
}

func peerNames() []string {
	return []string{"direct", "haproxy", "haproxy-splice", "stock", "bare", "ours", "ours-dormant", "chaos"}
}

// startPeer starts the named one before upstream; it ends with the test. nil: it is not installed.
func startPeer(t *testing.T, name string, upstream netip.AddrPort) *peer {
	t.Helper()
	switch name {
	case "direct":
		return &peer{addr: upstream}
	case "haproxy", "haproxy-splice":
		return startHAProxy(t, upstream, name == "haproxy-splice")
	case "stock":
		return startStock(t, upstream, stockBinary(t))
	case "chaos":
		return startChaos(t, upstream)
	case "bare":
		return startChild(t, childSpec{Play: "bare", Upstream: upstream.String()})
	case "ours-dormant": // a fault is held ready and is off
		return startChild(t, childSpec{Play: "ours", Upstream: upstream.String(), Fault: "latency", Dormant: true})
	default:
		return startChild(t, childSpec{Play: "ours", Upstream: upstream.String()})
	}
}

// run starts a process that ends with the test, however the test ends.
func run(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	var said bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &said
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Logf("%s said: %.2000s", cmd.Path, said.String())
		}
	})
	return cmd.Process.Pid
}

// startChild runs this binary as a peer.
func startChild(t *testing.T, spec childSpec) *peer {
	t.Helper()
	text, err := json.Marshal(spec)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	_, err = cmd.StdinPipe() // open as long as this process lives
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	pid := run(t, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the peer says no address")
	return &peer{addr: netip.MustParseAddrPort(strings.TrimSpace(line)), pid: pid}
}

// haproxyConfig is Debian's, as far as it matters to TCP on the loopback: no splicing, as many threads as there are cores. It does not log
// (there is nobody to log to), and its limits do not end what stays idle for a while.
const haproxyConfig = `global
	maxconn %d
defaults
	mode tcp
	timeout connect 5s
	timeout client 10m
	timeout server 10m
%s
listen bench
	bind %s
	server upstream %s
`

func startHAProxy(t *testing.T, upstream netip.AddrPort, spliced bool) *peer {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		path = "/usr/sbin/haproxy" // not in everybody's PATH
	}
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	option, most := "", min(30_000, descriptors(t)/2-50)
	if spliced { // it keeps room for a pipe for every fourth connection
		option, most = "\toption splice-auto\n", min(30_000, descriptors(t)*2/5-50)
	}
	addr := freeAddr(t)
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, haproxyConfig, most, option, addr, upstream), 0o600))
	p := &peer{addr: addr, pid: run(t, exec.Command(path, "-db", "-f", file)), most: int(most)}
	answers(t, addr)
	return p
}

var stock struct {
	once sync.Once
	path string
	err  error
}

// stockBinary builds Toxiproxy's server in its own module, so that it is what v2.12.0 is, with the versions that it names.
func stockBinary(t *testing.T) string {
	t.Helper()
	stock.once.Do(func() {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/Shopify/toxiproxy/v2").Output()
		if err != nil {
			stock.err = fmt.Errorf("find toxiproxy: %w", err)
			return
		}
		dir, err := os.MkdirTemp("", "chaos-bench-")
		if err != nil {
			stock.err = err
			return
		}
		stock.path = filepath.Join(dir, "toxiproxy-server")
		build := exec.Command("go", "build", "-mod=readonly", "-o", stock.path, "./cmd/server")
		build.Dir = strings.TrimSpace(string(out))
		build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		if said, err := build.CombinedOutput(); err != nil {
			stock.err = fmt.Errorf("build toxiproxy: %w: %s", err, said)
		}
	})
	require.NoError(t, stock.err)
	return stock.path
}

// startStock starts Toxiproxy's server and gives it one proxy. Its log goes nowhere, which is the cheapest that it can do with it.
func startStock(t *testing.T, upstream netip.AddrPort, binary string) *peer {
	t.Helper()
	api := freeAddr(t)
	pid := run(t, exec.Command(binary, "-host", api.Addr().String(), "-port", strconv.Itoa(int(api.Port()))))
	return throughAPI(t, api, upstream, pid)
}

// startChaos is the same with `chaos proxy`.
func startChaos(t *testing.T, upstream netip.AddrPort) *peer {
	t.Helper()
	require.NotEmpty(t, *chaosFlag, "the peer chaos needs -chaos")
	api := freeAddr(t)
	pid := run(t, exec.Command(*chaosFlag, "proxy", "--listen", api.String()))
	return throughAPI(t, api, upstream, pid)
}

// throughAPI makes a proxy through Toxiproxy's HTTP API.
func throughAPI(t *testing.T, api, upstream netip.AddrPort, pid int) *peer {
	t.Helper()
	answers(t, api)
	p := &peer{pid: pid, api: "http://" + api.String()}
	var made struct{ Listen string }
	body := fmt.Sprintf(`{"name":"bench","listen":"127.0.0.1:0","upstream":%q,"enabled":true}`, upstream)
	require.NoError(t, json.Unmarshal(p.post(t, "/proxies", body), &made))
	p.addr = netip.MustParseAddrPort(made.Listen)
	return p
}

// post asks the API of a peer that has one.
func (p *peer) post(t *testing.T, path, body string) []byte {
	t.Helper()
	said, err := p.ask(http.MethodPost, path, body)
	require.NoError(t, err)
	return said
}

// ask is post with any method, and with an error if the API has one.
func (p *peer) ask(method, path, body string) ([]byte, error) {
	request, err := http.NewRequest(method, p.api+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	return said, err
}

// freeAddr is an address where nobody listens.
func freeAddr(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

// answers waits until somebody accepts at addr.
func answers(t *testing.T, addr netip.AddrPort) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			_ = c.Close()
			return
		}
	}
	require.NoError(t, errors.New("nobody accepts"), addr.String())
}

// cpu returns the seconds that the process has used up to now; 0 without a process.
func (p *peer) cpu(t *testing.T) float64 {
	t.Helper()
	if p.pid == 0 {
		return 0
	}
	var used unix.Timespec
	const scheduled = 2                                                      // CPUCLOCK_SCHED: all threads, to the nanosecond
	require.NoError(t, unix.ClockGettime(int32(^p.pid<<3|scheduled), &used)) // as clock_getcpuclockid(3) makes it
	return time.Duration(used.Nano()).Seconds()
}

var rssLine = regexp.MustCompile(`(?m)^Rss:\s+(\d+) kB$`)

// rss returns the resident bytes of the process.
func (p *peer) rss(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid)) // statm lags behind
	require.NoError(t, err)
	found := rssLine.FindSubmatch(text)
	require.NotNil(t, found, "%s", text)
	kib, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return float64(kib) * 1024
}

// fds counts the open descriptors of the process.
func (p *peer) fds(t *testing.T) int {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/fd", p.pid)
	if of, err := os.Stat(path); err == nil && of.Size() > 0 { // since Linux 6.2
		return int(of.Size())
	}
	list, err := os.ReadDir(path)
	require.NoError(t, err)
	return len(list)
}
