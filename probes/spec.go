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

	ClickHouse *ClickHouse `yaml:"clickhouse"`
	Metrics    *Metrics    `yaml:"metrics"`
	JWT        *JWT        `yaml:"jwt"`

	CA       string            `yaml:"ca"`       // a file of certificates in PEM that are trusted besides the system's, by all kinds that speak TLS but sql
	Parallel int               `yaml:"parallel"` // asked so many times at once, and all must hold; 0 and 1: once
	Capture  map[string]string `yaml:"capture"`  // JSON paths in the answer, by name: ${captured.NAME} in what follows by then
	Then     *Spec             `yaml:"then"`     // asked after this one held, in the same attempt; with its own timing words

	InitialDelay     timeline.Duration `yaml:"initial_delay"`     // before the first attempt; default 0; not part of within
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

	CORSRefused     string     `yaml:"cors_refused"`     // an origin whose preflight must not be allowed
	CORSMethods     []string   `yaml:"cors_methods"`     // further methods that the origin of CORS may use
	CORSCredentials bool       `yaml:"cors_credentials"` // the origin of CORS may send cookies
	RateLimit       *RateLimit `yaml:"rate_limit"`
}

// RateLimit sends the request Allowed times, each of which must hold, and then goes on until one is refused.
type RateLimit struct {
	Allowed    int  `yaml:"allowed"`
	Extra      int  `yaml:"extra"`       // how many more may hold before one is refused; a limit that refills meanwhile needs some; default 0
	Status     int  `yaml:"status"`      // of the refusal; default 429
	RetryAfter bool `yaml:"retry_after"` // the refusal must say when to come back
}

// GRPC asks grpc.health.v1.Health/Check and requires SERVING.
type GRPC struct {
	Address string `yaml:"address"`
	Service string `yaml:"service"` // "" is the server itself
	TLS     bool   `yaml:"tls"`
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
	TLS      bool   `yaml:"tls"`
	Username string `yaml:"username"` // of an ACL; "": the default user
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
	FailOn []string          `yaml:"fail_on"` // messages, named the same way, after which the rest is not waited for
	Within timeline.Duration `yaml:"within"`  // of the whole sequence, connecting included; the same as timeout
	Status int               `yaml:"status"`  // instead of expect: the upgrade is refused with this status
	// Reconnect drops the connection without a word once the sequence is complete, as a network does, and connects again, so many
	// times: each time everything must hold.
	Reconnect int `yaml:"reconnect"`
}

// Exec runs a command in a process group of its own, with nothing on its stdin.
type Exec struct {
	Command  []string `yaml:"command"` // argv
	ExitCode int      `yaml:"exit_code"`
	Match    string   `yaml:"match"` // regular expression on stdout
}

// ClickHouse talks to ClickHouse over HTTP: without Query it writes a row into a table of its own, reads it back and drops the table.
type ClickHouse struct {
	URL      string `yaml:"url"`
	Database string `yaml:"database"` // default: the user's
	User     string `yaml:"user"`
	Password string `yaml:"password"`
	Query    string `yaml:"query"`
	Expect   any    `yaml:"expect"` // first column of the first row, compared as text, numbers by value; unset: any answer, also no row
}

// Metrics reads a page of metrics as Prometheus does and compares samples.
type Metrics struct {
	URL     string            `yaml:"url"`
	Headers map[string]string `yaml:"headers"`
	Name    string            `yaml:"name"`   // of the sample: also x_bucket, x_sum and x_count
	Labels  map[string]string `yaml:"labels"` // the sample has these, and may have others
	Op      string            `yaml:"op"`     // ==, !=, <, <=, > or >=; default ==
	Value   *float64          `yaml:"value"`  // every sample with the name and the labels compares so with it; nil: there is one
}

// JWT sends requests with a token that must be accepted and with tokens that must be refused. They are signed with Secret or Key, or
// made from Token.
type JWT struct {
	URL       string            `yaml:"url"`
	Method    string            `yaml:"method"` // default GET
	Headers   map[string]string `yaml:"headers"`
	Body      string            `yaml:"body"`
	Algorithm string            `yaml:"algorithm"` // default HS256 with Secret, RS256 with a key
	Secret    string            `yaml:"secret"`    // of HS256, HS384, HS512
	Key       string            `yaml:"key"`       // private, in PEM
	KeyFile   string            `yaml:"key_file"`  // a file with it, read in every attempt
	KeyID     string            `yaml:"kid"`
	Claims    map[string]any    `yaml:"claims"`  // besides sub, iat and exp, which they may replace
	Token     string            `yaml:"token"`   // a valid one, instead of one that is signed here
	Header    string            `yaml:"header"`  // that carries it; default Authorization
	Scheme    string            `yaml:"scheme"`  // before it; default Bearer in Authorization
	Status    int               `yaml:"status"`  // of the valid one; 0: any of 200..299
	Refused   int               `yaml:"refused"` // of the others; 0: 401 or 403

	Valid    *JWTCase `yaml:"valid"`
	Tampered *JWTCase `yaml:"tampered"` // a claim more than was signed
	Expired  *JWTCase `yaml:"expired"`  // signed, but its time is over
	Unsigned *JWTCase `yaml:"unsigned"` // algorithm none, no signature
	Missing  *JWTCase `yaml:"missing"`  // no token at all
}

// JWTCase is what is different about one of the tokens.
type JWTCase struct {
	URL    string `yaml:"url"`
	Status int    `yaml:"status"`
	Token  string `yaml:"token"` // sent as it is
	Skip   bool   `yaml:"skip"`
}
