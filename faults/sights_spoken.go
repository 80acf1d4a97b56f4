package faults

// spokenSights are those of the faults that take part in a protocol, or in what comes before it.
var spokenSights = map[string][]Sight{
	"dns": {
		{Client: "Go (pgx, go-redis, net/http)", Text: "no such host"}, {With: "servfail", Client: "Go (pgx, go-redis, net/http)", Text: "server misbehaving"},
		{With: "silent", Limit: true, Client: "Go (pgx, go-redis, net/http)", Text: ioLimit}, {Client: "node", Text: "ENOTFOUND"},
		{With: "servfail", Client: "node", Text: "EAI_AGAIN"}, {Client: "Python", Text: "EAI_NONAME"},
	},
	"tls": {
		{Client: "net/http", Text: "x509: certificate has expired or is not yet valid"}, {Client: "pgx", Text: "x509: certificate has expired or is not yet valid"},
		{Client: "curl", Text: "curl: (60) SSL certificate problem: certificate has expired"}, {Client: "node", Text: "CERT_HAS_EXPIRED"},
		{Client: "psql", Text: "SSL error: certificate verify failed"},
		{With: "wrong_name", Client: "net/http", Text: "x509: certificate is valid for other.invalid, not localhost"},
		{With: "unknown_ca", Client: "net/http", Text: "x509: certificate signed by unknown authority"},
		{With: "old_version", Client: "net/http", Text: "tls: server selected unsupported protocol version 301"},
		{With: "alert", Client: "net/http", Text: "remote error: tls: handshake failure"}, {With: "handshake_cut", Client: "net/http", Text: eof},
		{With: "plaintext", Client: "pgx", Text: "server refused TLS connection"},
	},
	"redis_error": {
		{Client: "go-redis", Text: "LOADING Redis is loading the dataset in memory"},
		{With: "NOAUTH", Client: "go-redis", Text: "NOAUTH Authentication required."},
		{With: "READONLY", Open: true, Client: "go-redis", Text: "READONLY You can't write against a read only replica."},
		{With: "MAXCLIENTS", Client: "go-redis", Text: eof, Or: []string{"max number of clients reached"}},
	},
	"nats_error": {{With: "Authorization Violation", Client: "nats.go", Text: "nats: Authorization Violation"}},
	"amqp_error": {{Client: "amqp091-go", Text: `Exception (403) Reason: "username or password not allowed"`}},
	"http_error": {
		{Client: "net/http", Text: "503 Service Unavailable"}, {With: "{status: 429}", Open: true, Client: "net/http", Text: "429 Too Many Requests"},
		{With: "{cut: 5}", Open: true, Client: "net/http", Text: "unexpected EOF"},
		{With: "{slow_headers: 3s}", Limit: true, Client: "net/http", Text: deadline},
		{Client: "curl -f", Text: "curl: (22) The requested URL returned error: 503"},
	},
	"grpc_error":      {{Client: "grpc-go", Text: "rpc error: code = Unavailable desc = "}},
	"websocket_error": {{Client: "coder/websocket", Text: "failed to get reader: received close frame: status = StatusInternalError"}},
	"postgres_error": {
		{Client: "pgx", Text: "FATAL: the database system is starting up (SQLSTATE 57P03)"}, {Client: "lib/pq", Text: "pq: the database system is starting up (57P03)"},
		{Client: "psql", Text: "FATAL:  the database system is starting up"},
		{With: `"53300"`, Client: "pgx", Text: "FATAL: sorry, too many clients already (SQLSTATE 53300)"},
		{With: `"53300"`, Client: "lib/pq", Text: "pq: sorry, too many clients already (53300)"},
		{With: "28P01", Client: "pgx", Text: `failed SASL auth: FATAL: password authentication failed for user "app" (SQLSTATE 28P01)`},
		{With: "28P01", Client: "lib/pq", Text: `pq: password authentication failed for user "app" (28P01)`},
		{With: "3D000", Client: "pgx", Text: `FATAL: database "app" does not exist (SQLSTATE 3D000)`},
		{With: "3D000", Client: "lib/pq", Text: `pq: database "app" does not exist (3D000)`},
		{With: "57P01", Open: true, Client: "pgx", Text: "FATAL: terminating connection due to administrator command (SQLSTATE 57P01)"},
		{With: "57P01", Open: true, Client: "lib/pq", Text: bad, Or: []string{"terminating connection due to administrator command (57P01)"}},
		{With: "42P01", Open: true, Client: "pgx", Text: `ERROR: relation "orders" does not exist (SQLSTATE 42P01)`},
		{With: "42P01", Open: true, Client: "lib/pq", Text: `pq: relation "orders" does not exist`},
		{With: `"40001"`, Open: true, Client: "pgx", Text: "ERROR: could not serialize access due to concurrent update (SQLSTATE 40001)"},
		{With: `"40001"`, Open: true, Client: "lib/pq", Text: "pq: could not serialize access due to concurrent update (40001)"},
	},
	"mysql_error": {
		{Client: "go-sql-driver/mysql", Text: "Error 1040: Too many connections"},
		{With: "1045", Client: "go-sql-driver/mysql", Text: "Error 1045 (28000): Access denied for user"},
		{With: "1049", Client: "go-sql-driver/mysql", Text: "Error 1049 (42000): Unknown database"},
		{With: "1053", Client: "go-sql-driver/mysql", Text: "Error 1053 (08S01): Server shutdown in progress"},
	},
}
