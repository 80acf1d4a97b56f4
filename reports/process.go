package reports

import (
	"fmt"
	"strings"

	"github.com/chaos-startup/chaos/contracts"
)

// processWords tells the figures of a service's processes: "peak 31 MiB, 24 descriptors, 12 threads, 340ms of CPU".
func processWords(figures map[string]float64) string {
	var parts []string
	if v, ok := figures["max_rss_bytes"]; ok {
		parts = append(parts, "peak "+contracts.Size(v).String())
	}
	if v, ok := figures["fds"]; ok {
		parts = append(parts, count(int(v), "descriptor"))
	}
	if v, ok := figures["threads"]; ok {
		parts = append(parts, count(int(v), "thread"))
	}
	switch v := figures["children"]; {
	case v == 1:
		parts = append(parts, "1 child")
	case v > 1:
		parts = append(parts, fmt.Sprintf("%.0f children", v))
	}
	if v, ok := figures["cpu_ms"]; ok {
		parts = append(parts, contracts.Millis(v)+" of CPU")
	}
	return strings.Join(parts, ", ")
}
