package e2e

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/internal/resolver"
	"github.com/chaos-startup/chaos/runner"
)

// client is a program that looks db.internal up and prints "ok ADDRESS", or what its own library says.
type client struct {
	argv []string
	env  []string
	says map[string]string // a part of what it prints, by answer
	// asksBlindly: it sends queries without connect(2), or wants the answer from the address that it asked: only a resolv.conf of its own can
	// make it ask us.
	asksBlindly bool
}

const name = "db.internal"

// The two ways in which a service is made to ask our resolver.
const (
	byConnects = "intercepted connects"
	byConf     = "own resolv.conf"
)

// TestNamesFail lets real resolver libraries meet every answer.
func TestNamesFail(t *testing.T) {
	programsOnly(t)
	known := clients(t)
	for way, missing := range map[string]error{byConnects: process.Intercepting(), byConf: process.OwnResolvConf()} {
		t.Run(way, func(t *testing.T) {
			if missing != nil {
				t.Skip(missing)
			}
			for who, c := range known {
				t.Run(who, func(t *testing.T) {
					t.Parallel() // nearly all of it is waiting
					c.try(t, way)
				})
			}
		})
	}
}

func (c client) try(t *testing.T, way string) {
	if _, err := exec.LookPath(c.argv[0]); err != nil {
		t.Skip(err)
	}
	if way == byConnects && c.asksBlindly {
		t.Skip("it is out of reach this way, as chaos doctor says")
	}
	for answer, want := range c.says {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			r := c.resolver(t, answer)
			r.Arm("f1")
			said := c.lookUp(t, way, r)
			t.Log(said)
			assert.Contains(t, said, want)
			assert.Positive(t, r.Stats().Hit["f1"])
			if answer == "nxdomain" {
				r.Lift("f1")
				assert.Contains(t, c.lookUp(t, way, r), "ok "+r.Address(0).String(), "after the lift")
			}
		})
	}
}

func (c client) resolver(t *testing.T, answer string) *resolver.Resolver {
	t.Helper()
	var value any = answer
	if answer == "slow" {
		value = map[string]any{"answer": answer, "delay": "300ms"}
	}
	spec, problems := faults.Parse("dns", value)
	require.Empty(t, problems)
	r, err := resolver.Start(t.Context(), resolver.Config{Hosts: []resolver.Host{{
		Dependency: "db", Names: []string{name}, Injections: []resolver.Injection{{ID: "f1", Resolution: *spec.Behaviour().Resolve}},
	}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

// quick makes glibc give up soon. Go and c-ares read the same from a resolv.conf only.
const quick = "timeout:1 attempts:1"

// lookUp runs the program once.
func (c client) lookUp(t *testing.T, way string, r *resolver.Resolver) string {
	t.Helper()
	var mu sync.Mutex
	var lines []string
	spec := process.Spec{
		Argv: c.argv, Env: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "RES_OPTIONS=" + quick}, c.env...),
		Line: func(_ process.Stream, line string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, line)
		},
	}
	if way == byConnects {
		spec.Datagrams = true
		spec.Decide = func(a process.Attempt) process.Answer {
			if a.Target.Port() != 53 {
				return process.Answer{}
			}
			return process.Answer{Redirect: r.Near(a.Target.Addr())}
		}
	} else {
		spec.ResolvConf = filepath.Join(t.TempDir(), "resolv.conf")
		text := resolver.System{}.Conf(r.Addr().Addr()) + "options " + quick + "\n"
		require.NoError(t, os.WriteFile(spec.ResolvConf, []byte(text), 0o600))
	}
	p, err := process.Start(spec)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	select {
	case <-p.Done():
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	return strings.Join(lines, "\n")
}

func clients(t *testing.T) map[string]client {
	lookup := filepath.Join(t.TempDir(), "lookup")
	out, err := exec.Command("go", "build", "-o", lookup, "./testdata/lookup").CombinedOutput()
	require.NoError(t, err, string(out))
	always := func(more map[string]string) map[string]string { // what every library says when the answer is an address
		maps.Copy(more, map[string]string{"slow": "ok 127.", "wrong_address": ".128"})
		return more
	}
	temporary := "Temporary failure in name resolution"
	return map[string]client{
		"Go": {argv: []string{lookup, name}, env: []string{"GODEBUG=netdns=go"}, says: always(map[string]string{
			"nxdomain": "no such host notfound=true", "no_data": "no such host notfound=true", "servfail": "server misbehaving notfound=false temporary=true",
			"refused": "server misbehaving notfound=false", "silent": "i/o timeout notfound=false temporary=true timeout=true",
		})},
		"Go with cgo": {argv: []string{lookup, name}, env: []string{"GODEBUG=netdns=cgo"}, says: always(map[string]string{
			"nxdomain": "no such host notfound=true", "no_data": "no such host notfound=true", "servfail": temporary, "refused": temporary, "silent": temporary,
		})},
		"Python getaddrinfo": {argv: []string{"python3", "-c", python}, says: always(map[string]string{
			"nxdomain": "EAI_NONAME", "no_data": "EAI_NODATA", "servfail": "EAI_AGAIN", "refused": "EAI_AGAIN", "silent": "EAI_AGAIN",
		})},
		"node lookup": {argv: []string{"node", "-e", nodeLookup}, says: always(map[string]string{
			"nxdomain": "ENOTFOUND", "no_data": "ENOTFOUND", "servfail": "EAI_AGAIN", "refused": "EAI_AGAIN", "silent": "EAI_AGAIN",
		})},
		"node resolve4": {argv: []string{"node", "-e", nodeResolve}, asksBlindly: true, says: always(map[string]string{
			"nxdomain": "ENOTFOUND", "no_data": "ENODATA", "servfail": "ESERVFAIL", "refused": "EREFUSED", "silent": "ETIMEOUT",
		})},
		"Java": {argv: []string{"java", "testdata/Lookup.java"}, says: map[string]string{
			"nxdomain": "UnknownHostException: db.internal: Name or service not known", "servfail": "UnknownHostException: db.internal: " + temporary,
		}},
		"sendto": {argv: []string{"python3", "-c", sendto}, asksBlindly: true, says: always(map[string]string{
			"nxdomain": "rcode 3", "no_data": "rcode 0", "servfail": "rcode 2", "refused": "rcode 5", "silent": "timed out",
		})},
	}
}

const python = `
import socket
try:
    print("ok", *sorted({a[4][0] for a in socket.getaddrinfo("db.internal", 5432)}))
except socket.gaierror as e:
    print("errno", {getattr(socket, n): n for n in dir(socket) if n.startswith("EAI_")}[e.errno], e)
`

const nodeLookup = `require("dns").lookup("db.internal", (e, a) => console.log(e ? e.code + " " + e.message : "ok " + a))`

const nodeResolve = `require("dns").resolve4("db.internal", (e, a) => console.log(e ? e.code + " " + e.message : "ok " + a))`

// sendto asks as musl does: by a socket that is not connected.
const sendto = `
import re, socket, struct
server = re.search(r"^nameserver (\S+)", open("/etc/resolv.conf").read(), re.M)[1]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.sendto(struct.pack(">6H", 7, 256, 1, 0, 0, 0) + b"\x02db\x08internal\x00" + struct.pack(">2H", 1, 1), (server, 53))
try:
    a = s.recv(512)
    print("rcode", a[3] & 15) if a[3] & 15 or not a[7] else print("ok", socket.inet_ntoa(a[-4:]))
except TimeoutError:
    print("timed out")
`

// TestNamesOfTheExample runs a whole service by its names.
func TestNamesOfTheExample(t *testing.T) {
	if process.OwnResolvConf() != nil && process.Intercepting() != nil {
		t.Skip("names can't be answered here")
	}
	plan, err := load(t, filepath.Join(smdFolder, "names.yaml"), nil).Expand(experiments.Selection{})
	require.NoError(t, err)
	report, err := runner.Run(t.Context(), plan, runner.Options{Servers: "standin", Parallel: 4, LookupEnv: os.LookupEnv})
	require.NoError(t, err)
	for _, trial := range report.Trials {
		assert.Equal(t, contracts.Pass, trial.Verdict, "%s: %v", trial.Title, trial.Reasons)
	}
}
