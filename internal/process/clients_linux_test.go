package process

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestUDPAndUnixPassUntouched(t *testing.T) {
	needsInterceptor(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	spec := part("udp-unix", closedPort(t).String(), path)
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Errno: unix.EPERM})
	p := start(t, spec)
	done(t, p)
	assert.Equal(t, []string{"udp <nil>", "unix <nil>"}, lines.all())
	assert.Empty(t, a.targets())
	assert.Equal(t, Interception{Passed: 2}, p.Intercepted())
}

// A program that calls connect again to learn how it went is one attempt.
func TestRepeatedCallsOnOneSocketAreOneAttempt(t *testing.T) {
	needsInterceptor(t)
	open := greeter(t, "tcp4", "127.0.0.1:0", "real")
	spec := part("again", open.String())
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{})
	p := start(t, spec)
	done(t, p)
	assert.Equal(t, []string{"calls true nil"}, lines.all())
	assert.Len(t, a.targets(), 1)
	assert.Positive(t, p.Intercepted().Passed)
}

func TestThreadsAndChildrenAreFollowed(t *testing.T) {
	needsInterceptor(t)
	spec := part("threads", "32", closedPort(t).String())
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Errno: unix.EHOSTUNREACH, Delay: time.Millisecond})
	p := start(t, spec)
	require.True(t, done(t, p).OK())
	require.Len(t, a.targets(), 33)
	pids := map[int]int{}
	for _, m := range a.all() {
		pids[m.PID]++
	}
	assert.Equal(t, 32, pids[p.PID()], "threads are told as their process")
	assert.Len(t, pids, 2)
	for _, line := range lines.all() {
		assert.True(t, strings.Contains(line, "no route to host") || line == "error EHOSTUNREACH", line)
	}
}

// A 32-bit program connects by another system call.
func Test32BitProgramsAreFollowed(t *testing.T) {
	needsInterceptor(t)
	if os.Getenv("GOARCH") != "" || testing.Short() {
		t.Skip("builds a program")
	}
	dir := t.TempDir()
	source := "package main\nimport (\"net\"; \"fmt\")\nfunc main() { _, err := net.Dial(\"tcp\", \"127.0.0.1:9\"); fmt.Println(err) }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "client"), filepath.Join(dir, "main.go"))
	build.Env = append(os.Environ(), "GOARCH=386", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("no 386 build: %s", out)
	}
	if err := exec.Command(filepath.Join(dir, "client")).Run(); err != nil { // #nosec G204 -- just built
		t.Skip("this machine runs no 32-bit programs: ", err)
	}
	spec := Spec{Argv: []string{filepath.Join(dir, "client")}}
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Errno: unix.ENETUNREACH})
	done(t, start(t, spec))
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}, a.targets())
	require.Len(t, lines.all(), 1)
	assert.Contains(t, lines.all()[0], "network is unreachable")
}

func TestOtherLanguages(t *testing.T) {
	needsInterceptor(t)
	open := greeter(t, "tcp4", "127.0.0.1:0", "real")
	proxy := greeter(t, "tcp4", "127.0.0.1:0", "proxy")
	port := strconv.Itoa(int(open.Port()))
	clients := map[string][]string{
		"python3": {"-c", "import socket\ns=socket.create_connection(('127.0.0.1'," + port + "))\nprint(s.recv(99).decode().strip())"},
		"python3 asyncio": {"-c", "import asyncio\nasync def f():\n r,_=await asyncio.open_connection('127.0.0.1'," + port +
			")\n print((await r.readline()).decode().strip())\nasyncio.run(f())"},
		"node": {"-e", "require('net').connect(" + port + ",'127.0.0.1').on('data',d=>console.log(d.toString().trim()))"},
		"bash": {"-c", "read -r line < /dev/tcp/127.0.0.1/" + port + "; echo $line"},
	}
	for name, args := range clients {
		t.Run(name, func(t *testing.T) {
			program, _, _ := strings.Cut(name, " ")
			path, err := exec.LookPath(program)
			if err != nil {
				t.Skip(err)
			}
			spec := Spec{Argv: append([]string{path}, args...), Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}}
			lines := record(&spec)
			var a attempts
			spec.Decide = a.decide(Answer{Redirect: proxy})
			done(t, start(t, spec))
			assert.Equal(t, []string{"proxy"}, lines.all())
			assert.Equal(t, []netip.AddrPort{open}, a.targets())
		})
	}
}
