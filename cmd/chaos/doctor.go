package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"

	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/internal/resolver"
	"github.com/chaos-startup/chaos/internal/servers"
	"github.com/spf13/cobra"
)

func newDoctorCmd(d deps) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Args: nothing,
		Short: "Say what works on this machine and what a report would lack",
		Long: `Say what works on this machine: whether connects can be intercepted and names be answered, which servers of server: are
installed and which would be stand-ins, and whether proxies and folders can be made. The exit code is 4 when chaos can't run here.`,
		Example: "  chaos doctor",
		RunE: func(*cobra.Command, []string) error {
			c := &checkup{}
			c.machine()
			if _, err := io.WriteString(d.stdout, c.out.String()); err != nil {
				return failed(err)
			}
			if c.failed > 0 {
				return exitError{exitHarness}
			}
			return nil
		},
	}
}

// checkup collects one entry for each thing.
type checkup struct {
	out           strings.Builder
	failed, notes int
}

// entry writes what was found; more are lines under it.
func (c *checkup) entry(mark, what, text string, more ...string) {
	fmt.Fprintf(&c.out, "%-5s %-20s %s\n", mark, what, text)
	for _, m := range more {
		fmt.Fprintf(&c.out, "%-26s %s\n", "", m)
	}
	switch mark {
	case "FAIL":
		c.failed++
	case "note", "warn":
		c.notes++
	}
}

func (c *checkup) machine() {
	fmt.Fprintf(&c.out, "chaos %s, %s/%s, %s\n\n", version(), runtime.GOOS, runtime.GOARCH, number(runtime.NumCPU(), "core"))
	c.interceptor()
	c.names()
	for _, k := range servers.Kinds() {
		c.server(k)
	}
	c.loopback()
	c.folder()
	switch {
	case c.failed > 0:
		c.out.WriteString("\nchaos can't run here: see FAIL above.\n")
	case c.notes > 0:
		c.out.WriteString("\nchaos can run here; the reports will say what is told above.\n")
	default:
		c.out.WriteString("\nchaos can run here, and nothing is missing.\n")
	}
}

func (c *checkup) interceptor() {
	err := process.Intercepting()
	if err == nil {
		c.entry("ok", "connect interceptor", "every connect(2) of a service is counted, and can be refused exactly")
		return
	}
	c.entry("warn", "connect interceptor", "not available: "+err.Error(),
		"Faults still work through the addresses of the proxies (interpose: address), but refused attempts are not",
		"counted, ways around a proxy are not seen, and interpose: connect is not possible. Reports say so.")
}

// names says how the names of dependencies can be answered.
func (c *checkup) names() {
	own, intercepting := process.OwnResolvConf(), process.Intercepting()
	if own == nil {
		own = standardPort()
	}
	switch {
	case own == nil && intercepting == nil:
		c.entry("ok", "names", "answered through a resolv.conf of the service's own, and by redirecting connects to nameservers")
	case own == nil:
		c.entry("ok", "names", "answered through a resolv.conf of the service's own")
	case intercepting == nil:
		c.entry("note", "names", "answered by redirecting connects to nameservers; no resolv.conf of the service's own: "+own.Error(),
			"The fault dns works for programs that connect(2) their sockets to the nameserver, as glibc, Go and Java do. musl does not,",
			"and c-ares (node's dns.resolve) only takes answers from the address it asked: as root these work too.")
	default:
		c.entry("warn", "names", "not answered: "+own.Error(), "The fault dns is not possible: its trials are errors, and reports say so.")
	}
}

// standardPort tries the port that a resolv.conf means.
func standardPort() error {
	r, err := resolver.Start(context.Background(), resolver.Config{})
	if err != nil {
		return err
	}
	if !r.Standard() {
		err = errors.New("a resolver can't listen on port 53 of a loopback address")
	}
	return errors.Join(err, r.Close(context.Background()))
}

func (c *checkup) server(k servers.Kind) {
	what := "server: " + k.Name
	if path, ok := servers.Find(k.Name); ok {
		c.entry("ok", what, path)
		return
	}
	c.entry("note", what, "not installed: a stand-in takes its place, and reports say so", "the stand-in: "+k.Standin, "the real one: "+k.Install)
}

func (c *checkup) loopback() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.entry("FAIL", "loopback", "can't listen on 127.0.0.1: "+err.Error())
		return
	}
	c.entry("ok", "loopback", "proxies can listen on 127.0.0.1")
	_ = l.Close()
}

// folder checks that programs which a build puts into a run's folder can be started there.
func (c *checkup) folder() {
	dir, err := os.MkdirTemp("", "chaos-doctor-")
	if err != nil {
		c.entry("FAIL", "temporary folder", err.Error()+": free space, or set TMPDIR to a folder that can be written to")
		return
	}
	defer os.RemoveAll(dir)
	if noExec(dir) {
		c.entry("warn", "temporary folder", os.TempDir()+" is mounted noexec: what service.build makes can't be started: set TMPDIR to another folder")
		return
	}
	c.entry("ok", "temporary folder", os.TempDir())
}
