package toxiapi

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// holder names who listens on the port of address, as far as /proc tells: programs of other users hide it.
func holder(address string) string {
	const unknown = "another program"
	_, text, err := net.SplitHostPort(address)
	port, err2 := strconv.ParseUint(text, 10, 16)
	if err != nil || err2 != nil {
		return unknown
	}
	sockets := listeners(uint16(port))
	if len(sockets) == 0 {
		return unknown
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || !sockets[to] {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		if name, err := os.ReadFile(filepath.Join(process, "comm")); err == nil { // #nosec G304 -- /proc
			return fmt.Sprintf("%s (process %s)", strings.Map(printable, string(name)), filepath.Base(process))
		}
	}
	return unknown
}

// printable drops what would steer a terminal: programs choose their names.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// listeners returns the sockets that listen on a port, as their links in /proc/PID/fd say it.
func listeners(port uint16) map[string]bool {
	const listening = "0A"
	found, end := map[string]bool{}, fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table) // #nosec G304 -- /proc
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 9 && strings.HasSuffix(f[1], end) && f[3] == listening {
				found["socket:["+f[9]+"]"] = true
			}
		}
	}
	return found
}
