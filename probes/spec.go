// Package probes asks a running service or a dependency whether it can do something, one file per kind of probe.
//
// A probe is one bounded attempt that returns an error saying what was expected and what came. It never retries, keeps no
// state between attempts and never judges; Poll adds Kubernetes' timing words.
package probes

import "github.com/chaos-startup/chaos/timeline"

// Spec declares one probe: exactly one kind, and timing in Kubernetes' words.
type Spec struct {
	TCP       *TCP       `yaml:"tcp"`
	HTTP      *HTTP      `yaml:"http"`
	GRPC      *GRPC      `yaml:"grpc"`
	SQL       *SQL       `yaml:"sql"`
	Redis     *Redis     `yaml:"redis"`
	WebSocket *WebSocket `yaml:"websocket"`
	Exec      *Exec      `yaml:"exec"`
	Log       string     `yaml:"log"` // regular expression: some line of the service's output matches

	Then *Spec `yaml:"then"` // asked after this one held

	Timeout          timeline.Duration `yaml:"timeout"`           // of one attempt; default 1s
	Interval         timeline.Duration `yaml:"interval"`          // between attempts; default 10ms, growing to 50ms
	Within           timeline.Duration `yaml:"within"`            // of all attempts together; default: one attempt
	SuccessThreshold int               `yaml:"success_threshold"` // default 1
	FailureThreshold int               `yaml:"failure_threshold"` // default 1; attempts of a readiness proof that must fail in a row
}

// TCP connects and closes.
type TCP struct {
	Address string `yaml:"address"` // host:port
}

// HTTP sends one request and checks the answer. Every set field is checked.
type HTTP struct {
	URL     string            `yaml:"url"`
	Method  string            `yaml:"method"` // default GET
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	Status  int               `yaml:"status"` // 0: any of 200..399
	Header  map[string]string `yaml:"header"` // of the answer: regular expression by name
	Match   string            `yaml:"match"`  // regular expression on the body (its first 1 MiB)
	JSON    string            `yaml:"json"`   // path, for example $.status or $.items[0].id
	Equals  any               `yaml:"equals"` // the value at JSON; unset: it must exist and not be null
	CORS    string            `yaml:"cors"`   // an origin: send a preflight (OPTIONS) for Method and require that it is allowed
}

// GRPC asks grpc.health.v1.Health/Check and requires SERVING.
type GRPC struct {
	Address string `yaml:"address"`
	Service string `yaml:"service"` // "" is the server itself
}

// SQL runs a query on PostgreSQL and compares the first column of the first row.
type SQL struct {
	DSN    string `yaml:"dsn"`
	Query  string `yaml:"query"`  // default "select 1"
	Expect any    `yaml:"expect"` // compared as text; unset: any answer
}

// Redis runs commands. Do is one of ping (default), set_get (a key of its own is written, read and deleted) or a command line.
type Redis struct {
	Address  string `yaml:"address"` // host:port
	Password string `yaml:"password"`
	DB       int    `yaml:"db"`
	Do       string `yaml:"do"`
	Expect   string `yaml:"expect"` // for a command line: its reply as text
}

// WebSocket connects, sends, and waits for messages in order.
type WebSocket struct {
	URL     string            `yaml:"url"`
	Headers map[string]string `yaml:"headers"`
	Send    string            `yaml:"send"`
	Expect  []string          `yaml:"expect"` // each a JSON message's type (field "type") or, between slashes, a regular expression on the text
	Status  int               `yaml:"status"` // instead of expect: the upgrade is refused with this status
}

// Exec runs a command.
type Exec struct {
	Command  []string `yaml:"command"`
	ExitCode int      `yaml:"exit_code"`
	Match    string   `yaml:"match"` // regular expression on stdout
}
