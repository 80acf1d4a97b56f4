package probes

import (
	"fmt"
	"strings"
)

const docsHead = `# Probes

A probe asks a service or a dependency one thing and says what it expected and what came. The same probes serve ` + "`ready:`" + ` (the service's own
claim), the proofs under ` + "`readiness:`" + ` and the ` + "`ready:`" + ` of a dependency. Every attempt opens fresh connections and closes them, follows no
redirect and obeys no proxy variable; what it reads is bounded; passwords are not in its errors. A probe has exactly one kind, and beside it:

| field | meaning | default |
|---|---|---|
| ` + "`then`" + ` | a probe that is asked after this one held, in the same attempt, with timing words of its own | |
| ` + "`timeout`" + ` | of one attempt | 1s; 5s for websocket, exec and where within is set |
| ` + "`interval`" + ` | pause between attempts. After a failure it starts at 10ms and doubles, so that the moment of the first success is exact | 50ms |
| ` + "`within`" + ` | of all attempts together: it is asked until it holds or this is over | the thresholds decide |
| ` + "`success_threshold`" + ` | attempts that must hold in a row | 1 |
| ` + "`failure_threshold`" + ` | attempts that must fail in a row before it failed; without meaning beside within | 1 |

`

// Markdown returns docs/probes.md: the documentation of every kind of probe, made from Builtin.
func Markdown() string {
	var b strings.Builder
	b.WriteString(docsHead)
	for _, k := range Builtin() {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n```yaml\n%s\n```\n\n", k.Name, k.Doc, k.Example)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
