package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/internal/loadgen"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
	"github.com/chaos-startup/chaos/traffic"
)

// The load that a generator must be able to send beside the service, on two cores.
const (
	loadRate   = 1000
	loadFor    = 10 * time.Second
	loadRounds = 3
)

// generators measures who sends: our generator and vegeta, each as a process of its own, to a service that is one, too. Both open a
// connection for each request.
func generators(t *testing.T, o options) table {
	length := loadFor
	peers := []string{"ours", "vegeta"}
	if o.quick {
		length, peers = 200*time.Millisecond, peers[:1]
	}
	o.peers, o.rounds = peers, min(o.rounds, loadRounds)
	service := startChild(t, childSpec{Play: "http"})
	vegeta := sync.OnceValue(func() string { return vegetaBinary(t, t.TempDir()) })
	r := interleave(t, o, func(name string) figures {
		if name == "vegeta" {
			return attack(t, vegeta(), service.addr, length)
		}
		return generate(t, service.addr, length)
	})
	made := tabulate(r, plain("answered", "answered"), plain("failed", "failed"), plain("lag p50 ms", "lag50"),
		plain("lag p99 ms", "lag99"), plain("lag max ms", "lagmax"), plain("latency p50 ms", "p50"), plain("latency p99 ms", "p99"),
		plain("generator CPU s", "cpu"))
	made.notes = fmt.Sprintf("%d requests a second for %s, each on a connection of its own. The lag is how late a request was sent after its intended moment; vegeta's "+
		"counts from its first request, which therefore has none. Ours counts latencies from the intended moment, vegeta from when it sent.", loadRate, length)
	return made
}

// generate lets our generator, as a process, send the load.
func generate(t *testing.T, to netip.AddrPort, length time.Duration) figures {
	t.Helper()
	spec, err := json.Marshal(childSpec{Play: "load", Upstream: to.String(), For: length})
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var c map[string]float64
	require.NoError(t, json.Unmarshal(out, &c))
	require.Zero(t, c["unsent"])
	return cost(cmd, figures{
		"answered": c["ok"], "failed": c["errors"],
		"lag50": c["lag_p50_ms"], "lag99": c["lag_p99_ms"], "lagmax": c["lag_max_ms"], "p50": c["p50_ms"], "p99": c["p99_ms"],
	})
}

// playLoad is the main of that process: it prints the figures of the load.
func playLoad(spec childSpec) error {
	ask := probes.Spec{HTTP: &probes.HTTP{URL: "http://" + spec.Upstream + "/", Status: http.StatusOK}, Timeout: timeline.Duration(5 * time.Second)}
	probe, err := probes.New(ask, probes.Env{})
	if err != nil {
		return err
	}
	g := loadgen.New(traffic.Load{Rate: loadRate, For: spec.For, Seed: 1},
		[]loadgen.Step{{Name: "get", Weight: 1, Kind: "http", Probe: probe, Timeout: 5 * time.Second}}, 2048)
	ctx := context.Background()
	g.Claimed(time.Now())
	g.Run(ctx, ctx, time.Now())
	events := g.Events("complete")
	return json.NewEncoder(os.Stdout).Encode(events[len(events)-1].Count)
}

// playHTTP is the service.
func playHTTP() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })}
	go func() { _ = server.Serve(l) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Close()
}

// cost adds what a process that has ended took.
func cost(cmd *exec.Cmd, f figures) figures {
	f["cpu"] = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return f
}

// vegetaBinary builds vegeta with the versions that it names.
func vegetaBinary(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "vegeta")
	build := exec.Command("go", "build", "-modfile=tools/vegeta.mod", "-o", path, "github.com/tsenart/vegeta/v12")
	build.Dir = ".."
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)
	return path
}

// attack lets vegeta send the load, and reads from its results when each request was sent.
func attack(t *testing.T, vegeta string, to netip.AddrPort, length time.Duration) figures {
	t.Helper()
	results := filepath.Join(t.TempDir(), "results.bin")
	cmd := exec.Command(vegeta, "attack", "-rate="+strconv.Itoa(loadRate), "-duration="+length.String(), "-keepalive=false", "-timeout=5s", "-output="+results)
	cmd.Stdin = strings.NewReader("GET http://" + to.String() + "/\n")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	text, err := exec.Command(vegeta, "encode", "-to=csv", results).Output()
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	f := figures{"failed": 0}
	var sent []int64
	var latencies []float64
	for _, row := range rows { // time, code, latency, ...
		at, err := strconv.ParseInt(row[0], 10, 64)
		require.NoError(t, err)
		took, err := strconv.ParseInt(row[2], 10, 64)
		require.NoError(t, err)
		sent = append(sent, at)
		if row[1] != "200" {
			f["failed"]++
			continue
		}
		f["answered"]++
		latencies = append(latencies, float64(took)/1e6)
	}
	slices.Sort(sent)
	var lags []float64
	for i, at := range sent {
		lags = append(lags, max(0, float64(at-sent[0]-int64(i)*int64(time.Second)/loadRate)/1e6))
	}
	f["lag50"], f["lag99"], f["lagmax"] = quantile(lags, 0.5), quantile(lags, 0.99), slices.Max(lags)
	f["p50"], f["p99"] = quantile(latencies, 0.5), quantile(latencies, 0.99)
	return cost(cmd, f)
}
