package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/internal/servers"
	"github.com/spf13/cobra"
)

func newDoctorCmd(d deps) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Args: cobra.NoArgs,
		Short:   "Say what works on this machine and what a report would lack",
		Example: "  chaos doctor",
		RunE: func(*cobra.Command, []string) error {
			if !diagnose(d.stdout) {
				return exitError{exitHarness}
			}
			return nil
		},
	}
}

// diagnose prints one line per thing and returns false when chaos can't run at all.
func diagnose(w io.Writer) bool {
	fmt.Fprintf(w, "chaos %s, %s/%s, %d cores\n\n", version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if err := process.Intercepting(); err != nil {
		line(w, "warn", "connect interceptor", "not available: "+err.Error())
		line(w, "", "", "refused attempts are not counted, escapes are not seen, and `interpose: connect` is not possible;")
		line(w, "", "", "faults still work through the proxies' addresses (`interpose: address`)")
	} else {
		line(w, "ok", "connect interceptor", "every connect(2) of the service is counted and can be refused exactly")
	}
	for _, k := range servers.Kinds() {
		if path, ok := servers.Find(k.Name); ok {
			line(w, "ok", "server: "+k.Name, path)
		} else {
			line(w, "note", "server: "+k.Name, "not installed; "+k.Standin)
		}
	}
	ok := true
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err != nil {
		line(w, "FAIL", "loopback", "can't listen on 127.0.0.1: "+err.Error())
		ok = false
	} else {
		line(w, "ok", "loopback", "proxies can listen on 127.0.0.1")
		_ = l.Close()
	}
	if dir, err := os.MkdirTemp("", "chaos-doctor-"); err != nil {
		line(w, "FAIL", "temporary folder", err.Error()+": free space or set TMPDIR")
		ok = false
	} else {
		line(w, "ok", "temporary folder", os.TempDir())
		_ = os.Remove(dir)
	}
	return ok
}

func line(w io.Writer, mark, what, text string) {
	fmt.Fprintf(w, "%-5s %-22s %s\n", mark, what, text)
}
