package toxiapi

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/chaos-startup/chaos/internal/proxy"
)

// What of the descriptors the connections of the proxies never get: without it nobody could lift a fault any more.
const (
	leastSpare = 16
	mostSpare  = 128
)

// budget is what this process may still open (ulimit -n), less what the API needs. nil: there is no limit.
func budget() *proxy.Budget {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= 1<<30 {
		return nil
	}
	all := int(limit.Cur) // #nosec G115 -- below 1<<30
	return proxy.NewBudget(all - opened() - min(max(all/8, leastSpare), mostSpare))
}

// opened is how many descriptors this process has.
func opened() int {
	for _, folder := range []string{"/proc/self/fd", "/dev/fd"} {
		if list, err := os.ReadDir(folder); err == nil {
			return len(list) - 1 // the folder itself
		}
	}
	return leastSpare
}
