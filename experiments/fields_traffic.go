package experiments

import "reflect"

// trafficSections are the load on the service, its steps and what is asked of it.
func trafficSections() []section {
	return []section{trafficSection(), trafficStepSection(), slaSection()}
}

func trafficSection() section {
	return section{
		name: "traffic", title: "the traffic", of: reflect.TypeFor[Traffic](),
		doc: "Production-like use of the service, in every trial: requests at moments that do not depend on how earlier ones are answered (an open " +
			"loop), straight to the service. Latencies count from the intended moment. `users` or `rate`, `stampede`, or both. A trial in which the generator " +
			"itself was late is inconclusive.",
		fields: []entry{
			{name: "users", def: "0", min: bounds(0), max: bounds(10_000), doc: "Users, of whom each begins a request every `pace`, whether or not the last was answered.",
				example: "10"},
			{name: "pace", def: "1s", doc: "Of a user.", example: "500ms"},
			{name: "rate", doc: "Instead of users: requests per second.", example: "100/s", kind: "rate"},
			{name: "arrivals", def: "constant", enum: []string{"constant", "poisson"}, doc: "Even gaps, or seeded ones of chance with the same mean.", example: "poisson"},
			{name: "stampede", def: "0", min: bounds(0), max: bounds(2000), doc: "So many requests more, all at the instant of the claim to be ready.", example: "50"},
			{name: "for", def: "5s", doc: "How long `users` or `rate` go on after the claim.", example: "10s"},
			{name: "from", def: "ready", enum: []string{"ready", "start"},
				doc: "`start`: they begin with the service. Whoever comes before the claim must be answered as the step says, be refused (ECONNREFUSED), or get " +
					"503: anything else (500, no answer, a reset, a WebSocket that is accepted and closed) fails the trial.", example: "start"},
			{name: "steps", def: "(the http, websocket and grpc proofs under readiness)", doc: "The kinds of request, chosen by weight.",
				example: `[{http: {url: "http://127.0.0.1:${port.http}/"}}]`},
			{name: "sla", doc: "What is asked of the requests after the claim.", example: "{p95: 300ms, errors: 0}"},
			{name: "max_lag", def: "(a fifth of the shortest time in sla, at least 20ms; 250ms without one)",
				doc: "How late the generator may be itself (p99 of its lag); beyond it nothing is decided about time.", example: "50ms"},
		},
	}
}

func trafficStepSection() section {
	return section{
		name: "traffic.step", title: "a step of the traffic", of: reflect.TypeFor[TrafficStep](),
		doc: "One request: a probe that is asked once. Each opens a connection of its own.",
		fields: []entry{
			{name: "name", def: "(its kind)", doc: "Its name in reports.", example: "read a thread"},
			{name: "weight", def: "1", min: bounds(1), max: bounds(1000), doc: "How often it is chosen beside the others.", example: "3"},
		},
	}
}

func slaSection() section {
	return section{
		name: "traffic.sla", title: "the sla of the traffic", of: reflect.TypeFor[SLA](),
		doc: "Of requests after the claim. Percentiles are those of answers as the step says and of requests that hung.",
		fields: []entry{
			{name: "p50", doc: "Half of the answers come within this.", example: "50ms"},
			{name: "p95", doc: "95 of 100 answers do.", example: "300ms"},
			{name: "p99", doc: "99 of 100 answers do.", example: "1s"},
			{name: "errors", def: "0", min: bounds(0), max: bounds(1), doc: "Share of the requests that may fail: 0.01 is one of a hundred.", example: "0"},
		},
	}
}
