package experiments

import (
	"reflect"

	"github.com/chaos-startup/chaos/probes"
)

// probeSections are the probes and the proofs made from them.
func probeSections() []section {
	return []section{proofSection(), probeSection(), tcpSection(), httpSection(), grpcSection(), sqlSection(), redisSection(),
		websocketSection(), execSection(), rateLimitSection(), clickHouseSection(), metricsSection(), jwtSection(), jwtCaseSection()}
}

func proofSection() section {
	return section{
		name: "proof", title: "a readiness proof", of: reflect.TypeFor[Proof](),
		doc: "A probe with a name: one of the things that `ready` must mean.",
		fields: []entry{
			{name: "name", def: required, doc: "What it proves.", example: "a thread is stored"},
			{name: "needs", doc: "The dependencies without which it cannot hold.", example: "[postgres]"},
			{name: "again", def: "1s", doc: "How long after it held it is asked again, while the trial goes on. `0s`: only after a fault was lifted, " +
				"for one that can't hold twice.", example: "5s"},
			{name: "from", def: "ready", enum: []string{"ready", "start"}, doc: "With `start` the message of a websocket proof is sent while the service starts, as often as it is turned " +
				"away (refused, 503, close 1013, or a message of `fail_on` while a fault is on something that it needs). Whoever takes it must answer it, within `timeout` of the claim to be ready; one that is lost never holds.", example: "start"},
		},
	}
}

func probeSection() section {
	return section{
		name: "probe", title: "a probe", of: reflect.TypeFor[probes.Spec](),
		doc: "Exactly one kind, and Kubernetes' words for its timing. `${unique}` is a value that each attempt makes anew, and `${captured.NAME}` one that an " +
			"earlier probe of the chain captured.",
		fields: []entry{
			{name: "tcp", doc: "Connects and closes.", example: `{address: "127.0.0.1:${port.http}"}`},
			{name: "http", doc: "Sends one request and checks the answer.", example: `{url: "http://127.0.0.1:${port.http}/ready", status: 200}`},
			{name: "grpc", doc: "Asks grpc.health.v1 and requires SERVING.", example: `{address: "127.0.0.1:${port.grpc}"}`},
			{name: "sql", doc: "Runs a query on PostgreSQL.", example: `{dsn: "postgres://app@${postgres.upstream}/app", query: select 1}`},
			{name: "redis", doc: "Runs a command on Redis.", example: `{address: "${redis.upstream}"}`},
			{name: "websocket", doc: "Connects, sends and waits for messages in order.",
				example: `{url: "ws://127.0.0.1:${port.http}/ws", send: '{"type":"ping"}', expect: [pong]}`},
			{name: "exec", doc: "Runs a command.", example: "{command: [./check.sh]}"},
			{name: "log", format: formatRegexp, doc: "Some line of the service's output matches.", example: "'listening on'"},
			{name: "clickhouse", doc: "Writes, reads and drops on ClickHouse, or runs a query.", example: `{url: "http://${clickhouse.upstream}"}`},
			{name: "metrics", doc: "Compares a Prometheus sample.", example: `{url: "http://127.0.0.1:${port.http}/metrics", name: worker_up, value: 1}`},
			{name: "jwt", doc: "A valid token is accepted; a tampered, expired, unsigned and missing one are refused.",
				example: `{url: "http://127.0.0.1:${port.http}/me", secret: "${env.JWT_SECRET:-secret}"}`},
			{name: "ca", doc: "A file of certificates in PEM that are trusted besides the system's; relative to the service's `dir`. For sql: sslrootcert in the dsn.", example: "'${ca.file}'"},
			{name: "parallel", def: "1", min: bounds(1), max: bounds(1000), doc: "So many attempts at once; all must hold. The first that fails ends the others.", example: "5"},
			{name: "capture", doc: "Values of the answer, as JSON paths by name, for what follows by `then`: `${captured.NAME}`. `$` is the whole answer.",
				example: "{id: $.thread.id}"},
			{name: "then", doc: "A probe that is asked after this one held, in the same attempt, with its own timing.",
				example: `{sql: {dsn: "postgres://app@${postgres.upstream}/app", query: select count(*) from threads, expect: 1}}`},
			{name: "initial_delay", def: "0s", doc: "Before the first attempt; `within` begins after it.", example: "2s"},
			{name: "timeout", def: "(1s; 5s for websocket, exec, several requests and with within)", doc: "Of one attempt.", example: "500ms"},
			{name: "interval", def: "(50ms; it starts at 10ms and grows)", doc: "Between attempts.", example: "100ms"},
			{name: "within", def: "(one attempt)", doc: "Of all attempts together.", example: "5s"},
			{name: "success_threshold", def: "1", min: bounds(1), max: bounds(1000), doc: "Attempts that must succeed in a row.", example: "2"},
			{name: "failure_threshold", def: "1", min: bounds(1), max: bounds(1000), doc: "Attempts that must fail in a row before it counts as failed; not used with `within`.",
				example: "3"},
		},
	}
}

func tcpSection() section {
	return section{
		name: "probe.tcp", title: "a tcp probe", of: reflect.TypeFor[probes.TCP](), doc: "Connects and closes.",
		fields: []entry{
			{name: "address", def: required, format: formatAddress, doc: "Where to.", example: `"127.0.0.1:${port.http}"`},
		},
	}
}

func httpSection() section {
	return section{
		name: "probe.http", title: "an http probe", of: reflect.TypeFor[probes.HTTP](),
		doc: "Every field that is set is checked.",
		fields: []entry{
			{name: "url", def: required, format: formatURL, doc: "What is asked.", example: `"http://127.0.0.1:${port.http}/ready"`},
			{name: "method", def: "GET", doc: "The method.", example: "POST"},
			{name: "headers", doc: "Headers of the request.", example: "{Authorization: Bearer abc}"},
			{name: "body", doc: "Body of the request.", example: `'{"text":"hi"}'`},
			{name: "status", def: "(any of 200 to 399)", min: bounds(100), max: bounds(599), doc: "Status of the answer; redirects are not followed.", example: "201"},
			{name: "header", doc: "Regular expressions on headers of the answer, by name.", example: "{Content-Type: json}"},
			{name: "match", format: formatRegexp, doc: "Matches the body (its first MiB).", example: "'\"ok\"'"},
			{name: "json", format: formatPath, doc: "Path of a value in the body.", example: "$.status"},
			{name: "equals", def: "(it exists and is not null)", doc: "The value at `json`.", example: "ok"},
			{name: "cors", doc: "An origin: a preflight (OPTIONS) for `method` and `headers` is sent and must be allowed.", example: "https://app.example"},
			{name: "cors_refused", doc: "An origin whose preflight must not be allowed.", example: "https://evil.example"},
			{name: "cors_methods", doc: "Further methods that the origin of `cors` may use, each with a preflight of its own.", example: "[PUT, DELETE]"},
			{name: "cors_credentials", doc: "The origin of `cors` may send cookies.", example: "true"},
			{name: "rate_limit", doc: "The request must hold so often, and be refused then.", example: "{allowed: 20}"},
		},
	}
}

func grpcSection() section {
	return section{
		name: "probe.grpc", title: "a grpc probe", of: reflect.TypeFor[probes.GRPC](), doc: "The standard health service.",
		fields: []entry{
			{name: "address", def: required, format: formatAddress, doc: "Where to.", example: `"127.0.0.1:${port.grpc}"`},
			{name: "service", def: "(the server itself)", doc: "Name of the service asked about.", example: "chat.v1.Chat"},
			{name: "tls", def: "false", doc: "It speaks TLS.", example: "true"},
		},
	}
}

func sqlSection() section {
	return section{
		name: "probe.sql", title: "an sql probe", of: reflect.TypeFor[probes.SQL](), doc: "PostgreSQL: the first column of the first row.",
		fields: []entry{
			{name: "dsn", def: required, doc: "Connection string.", example: `"postgres://app@${postgres.upstream}/app"`},
			{name: "query", def: "select 1", doc: "What is run; several statements, separated by semicolons, are one transaction.", example: "select count(*) from threads"},
			{name: "expect", def: "(any answer)", doc: "The value, compared as text.", example: "1"},
		},
	}
}

func redisSection() section {
	return section{
		name: "probe.redis", title: "a redis probe", of: reflect.TypeFor[probes.Redis](), doc: "One command, or a round trip.",
		fields: []entry{
			{name: "address", def: required, format: formatAddress, doc: "Where to.", example: `"${redis.upstream}"`},
			{name: "tls", def: "false", doc: "It speaks TLS; `ca` beside `redis` trusts more than the system does.", example: "true"},
			{name: "username", doc: "For AUTH, where the server has an ACL. Needs `password`.", example: "app"},
			{name: "password", doc: "For AUTH.", example: "'${env.REDIS_PASSWORD:-secret}'"},
			{name: "db", def: "0", min: bounds(0), max: bounds(1_000_000), doc: "Number of the database.", example: "1"},
			{name: "do", def: "ping", doc: "`ping`, `set_get` (a key of its own is written, read and deleted), or a command line.", example: "set_get"},
			{name: "expect", doc: "Reply of a command line, as text.", example: "OK"},
		},
	}
}

func websocketSection() section {
	return section{
		name: "probe.websocket", title: "a websocket probe", of: reflect.TypeFor[probes.WebSocket](),
		doc: "One of `expect` and `status`.",
		fields: []entry{
			{name: "url", def: required, format: formatWSURL, doc: "Where to.", example: `"ws://127.0.0.1:${port.http}/ws"`},
			{name: "headers", doc: "Headers of the upgrade.", example: "{Origin: https://app.example}"},
			{name: "send", doc: "Message sent once connected.", example: `'{"type":"user_message"}'`},
			{name: "expect", doc: "Messages in order: the `type` of a JSON message or, between slashes, a regular expression on the text.",
				example: "[agent_started, /done/]"},
			{name: "fail_on", doc: "Messages, named the same way, after which the rest is not waited for.", example: "[error]"},
			{name: "within", def: "(timeout)", doc: "Of the whole sequence, connecting included.", example: "5s"},
			{name: "status", min: bounds(100), max: bounds(599), doc: "The upgrade is refused with this status.", example: "503"},
			{name: "reconnect", def: "0", min: bounds(0), max: bounds(100), doc: "How often the connection is dropped after the sequence, without a word, and made again; each time all must hold.",
				example: "1"},
		},
	}
}

func execSection() section {
	return section{
		name: "probe.exec", title: "an exec probe", of: reflect.TypeFor[probes.Exec](), doc: "A command and what it must answer.",
		fields: []entry{
			{name: "command", def: required, format: formatArgv, doc: "Its argv.", example: "[./check.sh, '${port.http}']"},
			{name: "exit_code", def: "0", min: bounds(0), max: bounds(255), doc: "The exit code.", example: "3"},
			{name: "match", format: formatRegexp, doc: "Matches stdout.", example: "'^ok'"},
		},
	}
}
