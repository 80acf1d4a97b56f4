package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/internal/echo"
	"github.com/chaos-startup/chaos/internal/toxiapi"
)

// proxies is one run of chaos proxy as a process of its own, with the API on a free port.
func proxies(t *testing.T, file string, args ...string) (l *lab, api string) {
	t.Helper()
	l = &lab{t: t, dir: t.TempDir(), tmp: t.TempDir(), listen: "127.0.0.1:0", exited: make(chan struct{})}
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "file"), []byte(file), 0o600))
	if file != "" {
		args = append(args, "--config", "file")
	}
	l.start(append([]string{"proxy", "--listen", "127.0.0.1:0"}, args...)...)
	l.eventually("the API listens", func() bool { return strings.Contains(l.out.String(), "API of Toxiproxy") })
	found := regexp.MustCompile(`(?m)^API of Toxiproxy 2\.12\.0: (http://127\.0\.0\.1:\d+)$`).FindStringSubmatch(l.out.String())
	require.NotNil(t, found, l.out.String())
	return l, found[1]
}

// get asks the API.
func get(t *testing.T, url string) (string, int) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text), resp.StatusCode
}

func all(t *testing.T, api string) (list map[string]toxiapi.Proxy) {
	t.Helper()
	text, status := get(t, api+"/proxies")
	require.Equal(t, http.StatusOK, status, text)
	require.NoError(t, json.Unmarshal([]byte(text), &list))
	return list
}

// TestProxy starts proxies by arguments and by each form of file.
func TestProxy(t *testing.T) {
	const toxics = `[{"type": "latency", "toxicity": 0.5, "attributes": {"latency": 20, "jitter": "5ms"}}, {"type": "blackhole", "name": "b"}]`
	want := map[string]toxiapi.Proxy{
		"a": {Name: "a", Upstream: "127.0.0.1:9", Enabled: true, Toxics: []toxiapi.Toxic{
			{Name: "latency_downstream", Type: "latency", Stream: "downstream", Toxicity: 0.5, Attributes: map[string]any{"latency": 20.0, "jitter": 5.0}},
			{Name: "b", Type: "blackhole", Stream: "downstream", Toxicity: 1, Attributes: map[string]any{"ending": "silent"}},
		}},
		"b": {Name: "b", Upstream: "127.0.0.1:10", Toxics: []toxiapi.Toxic{}},
	}
	list := "[{\"name\": \"a\", \"listen\": \"127.0.0.1:0\",\n\t\"upstream\": \"127.0.0.1:9\", \"toxics\": " + toxics + "},\n" +
		"\t{\"name\": \"b\", \"listen\": \"127.0.0.1:0\", \"upstream\": \"127.0.0.1:10\", \"enabled\": false, \"toxics\": null}]"
	for name, file := range map[string]string{"JSON": list, "YAML": "x-note: ours\nproxies:\n  - {name: a, upstream: '127.0.0.1:9', toxics: " + toxics +
		"}\n  - name: b\n    listen: 127.0.0.1:0\n    upstream: 127.0.0.1:10\n    enabled: false\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, api := proxies(t, file, "c=127.0.0.1:11")
			got := all(t, api)
			assert.Regexp(t, `(?m)\Aa: 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:9$`, l.out.String())
			assert.Regexp(t, `(?m)^b: .* -> 127\.0\.0\.1:10 \(disabled\)$`, l.out.String())
			assert.Equal(t, "127.0.0.1:11", got["c"].Upstream)
			delete(got, "c")
			for name, p := range got {
				p.Listen = ""
				got[name] = p
			}
			assert.Equal(t, want, got)
		})
	}
	t.Run("experiments", func(t *testing.T) {
		t.Parallel()
		_, api := proxies(t, `{version: 1, service: {command: x, ready: {log: x}}, dependencies: {redis: {upstream: '127.0.0.1:6379'}, db: {server: postgres}},
experiments: [{name: e, inject: [{on: redis, from: start, fault: refuse}], expect: {fail_fast: {within: 1s}}}]}`)
		got := all(t, api)
		assert.Len(t, got, 1, "chaos proxy starts no servers")
		assert.Equal(t, "127.0.0.1:6379", got["redis"].Upstream)
	})
}

// TestProxyEndsInOrder sends signals while a client waits in a fault.
func TestProxyEndsInOrder(t *testing.T) {
	for sig, code := range endings() {
		l, api := proxies(t, "", "a=127.0.0.1:9", "--seed", "3", "-v")
		body := bytes.NewReader([]byte(`{"type":"blackhole","name":"b"}`))
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Post(api+"/proxies/a/toxics", "application/json", body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		l.listen = all(t, api)["a"].Listen
		c, err := net.Dial("tcp", l.listen)
		require.NoError(t, err)
		_, err = c.Write([]byte("hello"))
		require.NoError(t, err)
		l.eventually("the client is in the fault", func() bool {
			text, _ := get(t, api+"/metrics")
			return strings.Contains(text, `chaos_proxy_toxic_connections_total{proxy="a",toxic="b",type="blackhole"} 1`)
		})
		l.signal(sig)
		assert.Equal(t, code, l.code(), l.err.String())
		_, err = c.Read(make([]byte, 1))
		assert.Error(t, err, "the connection has ended")
		assert.NoError(t, c.Close())
		assert.Contains(t, l.err.String(), "interrupted: lifting every fault")
		assert.Regexp(t, `request\s.*"method": "POST", "path": "/proxies/a/toxics", "status": 200`, l.err.String())
		l.requireClean()
	}
}

// TestProxyUnderNohup: who asked for it to survive its terminal is not failed.
func TestProxyUnderNohup(t *testing.T) {
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Ignore(syscall.SIGHUP) // what is started inherits it
		defer signal.Reset(syscall.SIGHUP)
	}
	l, api := proxies(t, "", "a=127.0.0.1:9")
	l.signal(syscall.SIGHUP)
	assert.Contains(t, all(t, api), "a")
	l.signal(syscall.SIGTERM)
	assert.Equal(t, 143, l.code(), l.err.String())
	assert.Equal(t, 1, strings.Count(l.err.String(), "interrupted"))
}

// TestProxyHandsOutItsAuthority: the file is there before the API is told of, holds what the API hands out, and goes at the end.
func TestProxyHandsOutItsAuthority(t *testing.T) {
	l, api := proxies(t, "", "a=127.0.0.1:9", "--ca-file", "ca.pem")
	path := filepath.Join(l.dir, "ca.pem")
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, isAuthority(file))
	text, status := get(t, api+"/ca.pem")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, string(file), text)
	l.signal(syscall.SIGKILL)
	l.code()
	dir := l.dir
	require.NoError(t, checkAuthorityFile(path), "what a killed run left is replaced")
	l, _ = proxies(t, "", "--ca-file", path)
	now, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotEqual(t, string(file), string(now))
	l.signal(syscall.SIGTERM)
	assert.Equal(t, 143, l.code(), l.err.String())
	assert.NoFileExists(t, filepath.Join(dir, "ca.pem"))
}

// says sends a byte and waits for it.
func says(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(soon)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

// TestProxyShortOfDescriptors: the API answers however many connections there are, and both ends of the shortage are told once.
func TestProxyShortOfDescriptors(t *testing.T) {
	path, err := exec.LookPath("chaos")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "chaos"), []byte("#!/bin/sh\nulimit -n 64\nexec "+path+" \"$@\"\n"), 0o700)) // #nosec G306 -- a program
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	l, api := proxies(t, "", "a="+echo.Start(t))
	listen := all(t, api)["a"].Listen
	const short, over = "no descriptors for more connections", "there are descriptors for connections again"
	var open []net.Conn
	for range 60 {
		c, err := net.Dial("tcp", listen)
		require.NoError(t, err)
		defer c.Close()
		open = append(open, c)
	}
	require.NoError(t, says(open[0]))
	l.eventually("it is told", func() bool { return strings.Contains(l.err.String(), short) })
	for range 20 {
		text, status := get(t, api+"/version")
		require.Equal(t, http.StatusOK, status, text)
	}
	assert.NotContains(t, l.err.String(), over)
	for _, c := range open {
		require.NoError(t, says(c), "whoever waited is served when others are gone")
		require.NoError(t, c.Close())
	}
	l.eventually("every shortage that was told is over", func() bool { return strings.Count(l.err.String(), short) == strings.Count(l.err.String(), over) })
	assert.Less(t, strings.Count(l.err.String(), short), len(open)/2, "not for each connection: %s", l.err.String())
	assert.Regexp(t, `WARN\s+no descriptors.*\{"proxy": "a", "error": "too many open files"\}`, l.err.String())
	l.signal(syscall.SIGTERM)
	assert.Equal(t, 143, l.code())
}

// TestProxyTellsOfItsUpstream that cannot be reached, also without -v.
func TestProxyTellsOfItsUpstream(t *testing.T) {
	l, api := proxies(t, "", "a=127.0.0.1:1")
	c, err := net.Dial("tcp", all(t, api)["a"].Listen)
	require.NoError(t, err)
	assert.Error(t, says(c))
	assert.NoError(t, c.Close())
	l.eventually("it is told", func() bool { return strings.Contains(l.err.String(), "cannot be reached") })
	assert.Regexp(t, `WARN\s+the upstream cannot be reached\s.*"proxy": "a", "upstream": "127.0.0.1:1", "error": "dial tcp 127.0.0.1:1: connect: connection refused", "times": 1`, l.err.String())
	l.signal(syscall.SIGTERM)
	assert.Equal(t, 143, l.code())
}

// TestProxyNeedsItsPorts: nothing is left when one of several can't be had.
func TestProxyNeedsItsPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	l := &lab{t: t, dir: t.TempDir(), tmp: t.TempDir(), listen: "127.0.0.1:0", exited: make(chan struct{})}
	l.start("proxy", "--listen", taken.Addr().String(), "a=127.0.0.1:9")
	assert.Equal(t, exitHarness, l.code())
	who := "another program"
	if runtime.GOOS == "linux" {
		name, err := os.Executable()
		require.NoError(t, err)
		who = fmt.Sprintf("process %d (%s)", os.Getpid(), filepath.Base(name))
	}
	assert.Regexp(t, `^chaos: the API: listen tcp .*: bind: address already in use: `+regexp.QuoteMeta(who)+` listens there: end it, or choose another address with --listen\n$`, l.err.String())
	l = &lab{t: t, dir: t.TempDir(), tmp: t.TempDir(), listen: "127.0.0.1:0", exited: make(chan struct{})}
	l.start("proxy", "--listen", "127.0.0.1:0", "a=127.0.0.1:9", "b="+taken.Addr().String()+",127.0.0.1:9")
	assert.Equal(t, exitHarness, l.code())
	assert.Regexp(t, `^chaos: the proxy b: .*: the address is in use: end what listens there, or let chaos choose with 127\.0\.0\.1:0`, l.err.String())
	assert.Empty(t, l.out.String())
	l.requireClean()
}

// TestProxyDoc: the file in docs/proxy.md is one that is taken.
func TestProxyDoc(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "proxy.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```yaml\n")
	require.True(t, found)
	file, _, _ := strings.Cut(rest, "```")
	path := filepath.Join(t.TempDir(), "proxies.yaml")
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	f := proxyFlags{config: path}
	list, err := f.load(deps{env: os.LookupEnv})
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Len(t, list[0].Toxics, 2)
}
