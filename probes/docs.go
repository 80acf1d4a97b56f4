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
| ` + "`ca`" + ` | a file of certificates (PEM) that are trusted besides the system's, where the URL is https or wss, or grpc has tls | |
| ` + "`parallel`" + ` | so many attempts at once, all of which must hold: a pool that answers one may not answer five. The first that fails ends the others | 1 |
| ` + "`capture`" + ` | values of the answer as JSON paths by name, ` + "`{id: $.thread.id}`" + `, for what follows; ` + "`$`" + ` is the whole answer. Of the messages of a websocket the last one counts | |
| ` + "`then`" + ` | a probe that is asked after this one held, in the same attempt, with timing words of its own | |
| ` + "`initial_delay`" + ` | before the first attempt; ` + "`within`" + ` begins after it | 0s |
| ` + "`timeout`" + ` | of one attempt | 1s; 5s for websocket, exec, jwt, several requests and where within is set |
| ` + "`interval`" + ` | pause between attempts. After a failure it starts at 10ms and doubles, so that the moment of the first success is exact | 50ms |
| ` + "`within`" + ` | of all attempts together: it is asked until it holds or this is over | the thresholds decide |
| ` + "`success_threshold`" + ` | attempts that must hold in a row | 1 |
| ` + "`failure_threshold`" + ` | attempts that must fail in a row before it failed; without meaning beside within | 1 |

Two variables are filled in anew by every attempt: ` + "`${unique}`" + ` is a value that no other attempt has, the same in a whole chain, and
` + "`${captured.NAME}`" + ` is what an earlier probe of the chain captured. So a chain follows what it did itself. Values are
put in as they are: quote where the place needs it. A proof with ` + "`from: start`" + ` sends its websocket message while the service starts, as often as it is
turned away (or answered with what fail_on names while a fault is on what it needs); whoever takes it must answer it once the service claims to be ready. Probes talk to the dependencies
themselves: ` + "`${postgres}`" + ` is the proxy for the service and the real address here, so a fault is not in the way of the proof.

` + "```yaml" + `
- name: a thread is stored
  needs: [postgres]
  http: {method: POST, url: 'http://127.0.0.1:${port.http}/threads', body: '{"title":"${unique}"}', status: 201}
  capture: {id: $.thread.id}
  then:
    sql: {dsn: 'postgres://app@${postgres}/app', query: "select title from threads where id = '${captured.id}'", expect: '${unique}'}
    within: 5s
` + "```" + `

`

// Markdown returns docs/probes.md: the documentation of every kind of probe, made from Builtin.
func Markdown() string {
	var b strings.Builder
	b.WriteString(docsHead)
	for _, k := range Builtin() {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", k.Name, k.Doc)
		for _, example := range append([]string{k.Example}, k.Also...) {
			fmt.Fprintf(&b, "```yaml\n%s\n```\n\n", example)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
