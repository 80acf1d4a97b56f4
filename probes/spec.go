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

	Then *Spec `yaml:"then"` // asked after this one held, in the same attempt; with its own timing words

	Timeout          timeline.Duration `yaml:"timeout"`           // of one attempt; default 1s, 5s for websocket, exec and with within
	Interval         timeline.Duration `yaml:"interval"`          // between attempts; default 50ms; it starts at 10ms and grows
	Within           timeline.Duration `yaml:"within"`            // of all attempts together; default: the thresholds decide
	SuccessThreshold int               `yaml:"success_threshold"` // attempts that must hold in a row; default 1
	FailureThreshold int               `yaml:"failure_threshold"` // attempts that must fail in a row; default 1; not used with within
}

// TCP connects and closes.
type TCP struct {
	Address string `yaml:"address"` // host:port
}

// HTTP sends one request and checks the answer. Every set field is checked.
type HTTP struct {
	URL     string            `yaml:"url"`
	Method  string            `yaml:"method"`  // default GET
	Headers map[string]string `yaml:"headers"` // of the request
	Body    string            `yaml:"body"`
	Status  int               `yaml:"status"` // 0: any of 200..399; redirects are not followed
	Header  map[string]string `yaml:"header"` // of the answer: regular expression by name
	Match   string            `yaml:"match"`  // regular expression on the body (its first 1 MiB)
	JSON    string            `yaml:"json"`   // path, for example $.status or $.items[0].id
	Equals  any               `yaml:"equals"` // the value at JSON, a text also equals the number spelled so; unset: it exists and is not null
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
	Query  string `yaml:"query"`  // default "select 1"; several statements, separated by semicolons, are one transaction
	Expect any    `yaml:"expect"` // compared as text, numbers by value; unset: any answer, also no row
}

// Redis runs commands. Do is one of ping (default), set_get (a key of its own is written, read and deleted) or a command line.
type Redis struct {
	Address  string `yaml:"address"` // host:port
	Password string `yaml:"password"`
	DB       int    `yaml:"db"`
	Do       string `yaml:"do"`
	Expect   string `yaml:"expect"` // for a command line: its reply as text (a list: one line for each element); "": any but an error
}

// WebSocket connects, sends, and waits for messages in order.
type WebSocket struct {
	URL     string            `yaml:"url"`
	Headers map[string]string `yaml:"headers"`
	Send    string            `yaml:"send"`
	// Expect lists messages in the order in which they must come: each a JSON message's type (field "type") or, between slashes, a
	// regular expression on the text. Other messages in between are passed over.
	Expect []string          `yaml:"expect"`
	Within timeline.Duration `yaml:"within"` // of the whole sequence, connecting included; the same as timeout
	Status int               `yaml:"status"` // instead of expect: the upgrade is refused with this status
}

// Exec runs a command in a process group of its own, with nothing on its stdin.
type Exec struct {
	Command  []string `yaml:"command"` // argv
	ExitCode int      `yaml:"exit_code"`
	Match    string   `yaml:"match"` // regular expression on stdout
}
