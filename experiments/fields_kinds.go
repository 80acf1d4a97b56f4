package experiments

import (
	"reflect"

	"github.com/chaos-startup/chaos/probes"
)

func rateLimitSection() section {
	return section{
		name: "probe.http.rate_limit", title: "a rate limit", of: reflect.TypeFor[probes.RateLimit](),
		doc: "The request is sent over and over. It uses up the limit: give each attempt a client of its own, by `${unique}`, where the limit is by client.",
		fields: []entry{
			{name: "allowed", def: required, min: bounds(1), max: bounds(10_000), doc: "So many requests must hold.", example: "20"},
			{name: "extra", def: "0", min: bounds(0), max: bounds(10_000), doc: "How many more may hold before one is refused, for a limit that refills meanwhile.", example: "5"},
			{name: "status", def: "429", min: bounds(400), max: bounds(599), doc: "Status of the refusal.", example: "503"},
			{name: "retry_after", def: "false", doc: "The refusal must have a Retry-After header.", example: "true"},
		},
	}
}

func clickHouseSection() section {
	return section{
		name: "probe.clickhouse", title: "a clickhouse probe", of: reflect.TypeFor[probes.ClickHouse](),
		doc: "ClickHouse over HTTP. Without `query` a table of its own is made, written, read and dropped.",
		fields: []entry{
			{name: "url", def: required, format: formatURL, doc: "Its HTTP port.", example: `"http://${clickhouse.upstream}"`},
			{name: "database", def: "(the user's)", doc: "The database.", example: "stats"},
			{name: "user", def: "(default)", doc: "The user.", example: "app"},
			{name: "password", doc: "Their password.", example: "'${env.CLICKHOUSE_PASSWORD:-secret}'"},
			{name: "query", def: "(a round trip)", doc: "What is run instead of the round trip: one statement.", example: "select count() from events"},
			{name: "expect", def: "(any answer)", doc: "First column of the first row, compared as text.", example: "1"},
		},
	}
}

func metricsSection() section {
	return section{
		name: "probe.metrics", title: "a metrics probe", of: reflect.TypeFor[probes.Metrics](),
		doc: "A page in Prometheus' text format. Every sample with the name and the labels must compare so, and there must be one.",
		fields: []entry{
			{name: "url", def: required, format: formatURL, doc: "The page.", example: `"http://127.0.0.1:${port.http}/metrics"`},
			{name: "headers", doc: "Headers of the request.", example: "{Authorization: Bearer abc}"},
			{name: "name", def: required, doc: "Name of the sample; of a histogram: x_bucket, x_sum or x_count.", example: "http_requests_total"},
			{name: "labels", doc: "Labels that it has; it may have others.", example: "{method: GET}"},
			{name: "op", def: "(==)", enum: []string{"==", "!=", "<", "<=", ">", ">="}, doc: "How it compares with `value`.", example: "'>='"},
			{name: "value", def: "(any)", doc: "The number.", example: "1"},
		},
	}
}

func jwtSection() section {
	return section{
		name: "probe.jwt", title: "a jwt probe", of: reflect.TypeFor[probes.JWT](),
		doc: "The same request with several tokens. Exactly one of `secret`, `key`, `key_file` and `token` says where they come from.",
		fields: []entry{
			{name: "url", def: required, format: formatURL, doc: "What is asked.", example: `"http://127.0.0.1:${port.http}/me"`},
			{name: "method", def: "GET", doc: "The method.", example: "POST"},
			{name: "headers", doc: "Further headers of the request.", example: "{Accept: application/json}"},
			{name: "body", doc: "Body of the request.", example: "'{}'"},
			{name: "algorithm", def: "(HS256 with secret, else RS256)",
				enum: []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"},
				doc:  "How tokens are signed.", example: "RS256"},
			{name: "secret", doc: "Signs HS256.", example: "'${env.JWT_SECRET:-secret}'"},
			{name: "key", doc: "A private key in PEM.", example: "'${env.JWT_KEY:-}'"},
			{name: "key_file", doc: "A file with one; relative to the service's `dir`.", example: "testdata/jwt.pem"},
			{name: "kid", doc: "Names the key in the token.", example: "key-1"},
			{name: "claims", doc: "Claims of the token, besides sub, iat and exp, which they may replace.", example: "{sub: ada, iss: https://login.example}"},
			{name: "token", doc: "A valid token instead, for example one that was captured.", example: "'${captured.token}'"},
			{name: "header", def: "Authorization", doc: "The header that carries it.", example: "X-Token"},
			{name: "scheme", def: "(Bearer in Authorization)", doc: "The word before it.", example: "JWT"},
			{name: "status", def: "(any of 200 to 299)", min: bounds(100), max: bounds(599), doc: "Answer to the valid one.", example: "200"},
			{name: "refused", def: "(401 or 403)", min: bounds(100), max: bounds(599), doc: "Answer to the others.", example: "401"},
			{name: "valid", doc: "What is different about the valid one.", example: "{status: 200}"},
			{name: "tampered", doc: "What is different about the one with a claim more than was signed.", example: "{status: 403}"},
			{name: "expired", doc: "What is different about the expired one. It can be made with a key only; where `token` is given it must be given too.",
				example: "{token: '${captured.old}'}"},
			{name: "unsigned", doc: "What is different about the one that is not signed (algorithm none).", example: "{status: 400}"},
			{name: "missing", doc: "What is different about the request without a token.", example: "{skip: true}"},
		},
	}
}

func jwtCaseSection() section {
	return section{
		name: "probe.jwt.case", title: "a case of a jwt probe", of: reflect.TypeFor[probes.JWTCase](), doc: "What is different about one of the tokens.",
		fields: []entry{
			{name: "url", def: "(that of the probe)", doc: "What is asked.", example: `"http://127.0.0.1:${port.http}/refresh"`},
			{name: "status", def: "(that of the probe)", min: bounds(100), max: bounds(599), doc: "The answer.", example: "403"},
			{name: "token", doc: "The token, as it is.", example: "'${captured.old}'"},
			{name: "skip", def: "false", doc: "It is not sent.", example: "true"},
		},
	}
}
