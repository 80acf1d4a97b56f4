package faults

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// settlingTalk goes on after the lift with what else comes.
type settlingTalk struct {
	fakeTalk
	later []heardLine
}

func (f *settlingTalk) Settle() (Direction, Chunk, bool) {
	f.script, f.later = f.later, nil
	defer func() { f.later, f.script = f.script, nil }()
	return f.Next()
}

func up(messages ...pgproto3.Message) heardLine { return heardLine{Upstream, encodePG(messages...)} }
func down(messages ...pgproto3.Message) heardLine {
	return heardLine{Downstream, encodePG(messages...)}
}

func query(sql string) *pgproto3.Query { return &pgproto3.Query{String: sql} }
func ready(status byte) *pgproto3.ReadyForQuery {
	return &pgproto3.ReadyForQuery{TxStatus: status}
}
func done(tag string) *pgproto3.CommandComplete {
	return &pgproto3.CommandComplete{CommandTag: []byte(tag)}
}

var (
	hello = &pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "app", "database": "shop"}}
	// begun is a session that has begun: what passes before the fault comes on.
	begun = []heardLine{up(&pgproto3.SSLRequest{}), {Downstream, []byte("N")}, up(hello), down(&pgproto3.AuthenticationOk{},
		&pgproto3.ParameterStatus{Name: "server_version", Value: "15.18"}, &pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 2}}, ready('I'))}
)

// pgCase is a script and what comes of it.
type pgCase struct {
	name   string
	value  any // of postgres_error
	before []heardLine
	script []heardLine
	later  []heardLine // after the lift
	up     heardLine   // what reaches the server
	down   heardLine   // and the client
	closed string
	bites  int
}

// converse makes the conversation of the case. The names of its statements are the same each time.
func (c pgCase) converse(t *testing.T) *pgConversation {
	t.Helper()
	conversation := behaviour(t, "postgres_error", c.value).Converse(seeded(), true)
	require.Implements(t, (*Witness)(nil), conversation)
	return conversation.(*pgConversation)
}

// poison is the nth statement that cannot be parsed.
func (c pgCase) poison(t *testing.T, n int) string {
	return fmt.Sprintf("%s%d", c.converse(t).token, n)
}

// unparsed is how the server answers it.
func unparsed(name string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42601", Message: `syntax error at or near "` + name + `"`,
		Position: 1, File: "scan.l", Line: 1188, Routine: "scanner_yyerror"}
}

func said(severity, code, message, file string, line, position int32, routine string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: code, Message: message, Position: position,
		File: file, Line: line, Routine: routine}
}

// runs plays the case with its chunks as they are, and cut in two, or in bytes, at every place.
func (c pgCase) runs(t *testing.T) {
	t.Helper()
	c.plays(t, c.before, c.script, c.later)
	for _, part := range [][]heardLine{c.before, c.script, c.later} {
		for i, l := range part {
			for at := 1; at < len(l.data); at++ {
				cutAt := append(append(append([]heardLine{}, part[:i]...), heardLine{l.d, l.data[:at]}, heardLine{l.d, l.data[at:]}), part[i+1:]...)
				switch &part[0] {
				case first(c.before):
					c.plays(t, cutAt, c.script, c.later)
				case first(c.script):
					c.plays(t, c.before, cutAt, c.later)
				default:
					c.plays(t, c.before, c.script, cutAt)
				}
				if t.Failed() {
					t.Fatalf("%s: cut at %d of %q", c.name, at, l.data)
				}
			}
		}
	}
	c.plays(t, inBytes(c.before), inBytes(c.script), inBytes(c.later))
}

func first(l []heardLine) *heardLine {
	if len(l) == 0 {
		return nil
	}
	return &l[0]
}

func inBytes(part []heardLine) (out []heardLine) {
	for _, l := range part {
		for i := range l.data {
			out = append(out, heardLine{l.d, l.data[i : i+1]})
		}
		if l.data == nil {
			out = append(out, l)
		}
	}
	return out
}

func (c pgCase) plays(t *testing.T, before, script, later []heardLine) {
	t.Helper()
	conversation := c.converse(t)
	for _, l := range before {
		conversation.Sees(l.d, l.data)
	}
	talk := &settlingTalk{fakeTalk{script: script}, later}
	conversation.Run(talk)
	for _, l := range talk.later { // the fault is off
		conversation.Sees(l.d, l.data)
		talk.Pass(l.d, Chunk{Data: l.data})
	}
	require.Equal(t, string(c.up.data), string(talk.passed[Upstream]), "%s: to the server", c.name)
	require.Equal(t, string(c.down.data), string(talk.passed[Downstream]), "%s: to the client", c.name)
	require.Equal(t, c.closed, talk.closed, c.name)
	require.Len(t, talk.bites, c.bites, "%s: %v", c.name, talk.bites)
}

func TestPostgresErrorAtStartup(t *testing.T) {
	asked := heardLine{Upstream, append(append(encodePG(&pgproto3.SSLRequest{}), encodePG(&pgproto3.GSSEncRequest{})...), encodePG(hello)...)}
	for code, want := range map[string][]byte{
		"57P03": encodePG(said("FATAL", "57P03", "the database system is starting up", "postmaster.c", 2415, 0, "ProcessStartupPacket")),
		"53300": encodePG(said("FATAL", "53300", "sorry, too many clients already", "proc.c", 357, 0, "InitProcess")),
		"3D000": encodePG(&pgproto3.AuthenticationOk{}, said("FATAL", "3D000", `database "shop" does not exist`, "postinit.c", 948, 0, "InitPostgres")),
		"28000": encodePG(said("FATAL", "28000", `no pg_hba.conf entry for host "127.0.0.1", user "app", database "shop", no encryption`,
			"auth.c", 544, 0, "ClientAuthentication")),
	} {
		pgCase{name: code, value: code, script: []heardLine{asked}, down: heardLine{Downstream, append([]byte("NN"), want...)}, closed: "close", bites: 1}.runs(t)
	}
	pgCase{name: "message", value: map[string]any{"message": "the database system is shutting down"}, script: []heardLine{up(hello)},
		down: down(said("FATAL", "57P03", "the database system is shutting down", "postmaster.c", 2415, 0, "ProcessStartupPacket")), closed: "close", bites: 1}.runs(t)
	pgCase{name: "unnamed database", value: "3D000", script: []heardLine{up(&pgproto3.StartupMessage{ProtocolVersion: 196608,
		Parameters: map[string]string{"user": strings.Repeat("n", 70)}})}, down: down(&pgproto3.AuthenticationOk{}, said("FATAL", "3D000",
		`database "`+strings.Repeat("n", 63)+`" does not exist`, "postinit.c", 948, 0, "InitPostgres")), closed: "close", bites: 1}.runs(t)
}

func TestPostgresErrorLeavesAloneAtStartup(t *testing.T) {
	cancel := up(&pgproto3.CancelRequest{ProcessID: 1, SecretKey: []byte{0, 0, 0, 2}})
	pgCase{name: "cancel", script: []heardLine{cancel}, up: cancel}.runs(t)
	pgCase{name: "open", before: begun, script: []heardLine{up(query("select 1")), down(done("SELECT 1"), ready('I'))},
		up: up(query("select 1")), down: down(done("SELECT 1"), ready('I'))}.runs(t)
	tls := heardLine{Upstream, []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")}
	answer := heardLine{Downstream, []byte("\x16\x03\x03 anything")}
	pgCase{name: "encrypted", before: []heardLine{up(&pgproto3.SSLRequest{}), {Downstream, []byte("S")}}, script: []heardLine{tls, answer},
		up: tls, down: answer}.runs(t)
	pgCase{name: "direct TLS", script: []heardLine{tls, answer}, up: tls, down: answer}.runs(t)
	pgCase{name: "encrypted under the fault", before: []heardLine{up(&pgproto3.SSLRequest{})}, script: []heardLine{{Downstream, []byte("S")}, tls, answer},
		up: tls, down: heardLine{Downstream, append([]byte("S"), answer.data...)}}.runs(t)
	pgCase{name: "unencrypted under the fault", before: []heardLine{up(&pgproto3.SSLRequest{})}, script: []heardLine{{Downstream, []byte("N")}, up(hello)},
		down: heardLine{Downstream, append([]byte("N"), encodePG(said("FATAL", "57P03", "the database system is starting up", "postmaster.c", 2415, 0,
			"ProcessStartupPacket"))...)}, closed: "close", bites: 1}.runs(t)
	whole := up(hello).data // a map: not the same bytes each time
	half := heardLine{Upstream, whole[:20]}
	pgCase{name: "half a beginning", script: []heardLine{half}, up: half}.runs(t)
	pgCase{name: "half before", before: []heardLine{half}, script: []heardLine{{Upstream, whole[20:]}}, up: heardLine{Upstream, whole[20:]}}.runs(t)
}

func TestPostgresErrorAsksForThePassword(t *testing.T) {
	c := pgCase{name: "28P01", value: "28P01"}
	sample := c.converse(t)
	nonce := sample.begin.text(18)
	salt := sample.begin.text(16)
	refused := said("FATAL", "28P01", `password authentication failed for user "app"`, "auth.c", 334, 0, "auth_failed")
	asks := &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}
	c.script = []heardLine{up(hello), up(&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("n,,n=,r=fyko")}),
		up(&pgproto3.SASLResponse{Data: []byte("c=biws,r=fyko" + nonce + ",p=abc")})}
	c.down = down(asks, &pgproto3.AuthenticationSASLContinue{Data: []byte("r=fyko" + nonce + ",s=" + salt + ",i=4096")}, refused)
	c.closed, c.bites = "close", 2
	c.runs(t)
	pgCase{name: "another mechanism", value: "28P01", script: []heardLine{up(hello), up(&pgproto3.PasswordMessage{Password: "x"})},
		down: down(asks, refused), closed: "close", bites: 2}.runs(t)
	pgCase{name: "lifted meanwhile", value: "28P01", script: []heardLine{up(hello)}, down: down(asks, refused), closed: "close", bites: 2}.runs(t)
}

func TestPostgresErrorEndsSessions(t *testing.T) {
	fatal := said("FATAL", "57P01", "terminating connection due to administrator command", "postgres.c", 3211, 0, "ProcessInterrupts")
	pgCase{name: "idle", value: "57P01", before: begun, down: down(fatal), closed: "close", bites: 1}.runs(t)
	row := down(&pgproto3.DataRow{Values: [][]byte{[]byte("hello")}})
	pgCase{name: "in a row", value: "57P01", before: append(begun[:4:4], up(query("select 1")), heardLine{Downstream, row.data[:7]}),
		script: []heardLine{{Downstream, row.data[7:]}}, down: heardLine{Downstream, append(row.data[7:len(row.data):len(row.data)], encodePG(fatal)...)},
		closed: "close", bites: 1}.runs(t)
	pgCase{name: "authenticating", value: "57P01", before: []heardLine{up(hello)}, closed: "close", bites: 1}.runs(t)
	pgCase{name: "new", value: "57P01", script: []heardLine{up(hello)}, down: down(said("FATAL", "57P03", "the database system is shutting down",
		"postmaster.c", 2432, 0, "ProcessStartupPacket")), closed: "close", bites: 1}.runs(t)
	pgCase{name: "new after a crash", value: "57P02", script: []heardLine{up(hello)}, down: down(said("FATAL", "57P03", "the database system is in recovery mode",
		"postmaster.c", 2415, 0, "ProcessStartupPacket")), closed: "close", bites: 1}.runs(t)
	idle := said("FATAL", "57P05", "terminating connection due to idle-session timeout", "postgres.c", 3374, 0, "ProcessInterrupts")
	pgCase{name: "busy, then idle", value: "57P05", before: append(begun[:4:4], up(query("select 1"))), script: []heardLine{down(done("SELECT 1"), ready('I'))},
		down: down(done("SELECT 1"), ready('I'), idle), closed: "close", bites: 1}.runs(t)
	pgCase{name: "in a transaction", value: "57P05", before: append(begun[:4:4], up(query("begin"))), script: []heardLine{down(done("BEGIN"), ready('T'))},
		down: down(done("BEGIN"), ready('T'))}.runs(t)
	letIn := up(hello)
	pgCase{name: "new ones are let in", value: "57P05", script: []heardLine{letIn, down(&pgproto3.AuthenticationOk{}, ready('I'))},
		up: letIn, down: down(&pgproto3.AuthenticationOk{}, ready('I'))}.runs(t)
}

func TestPostgresErrorFailsStatements(t *testing.T) {
	noOrders := said("ERROR", "42P01", `relation "orders" does not exist`, "parse_relation.c", 1392, 15, "parserOpenTable")
	c := pgCase{value: "42P01", before: begun}
	p0, p1 := c.poison(t, 0), c.poison(t, 1)
	c.name, c.bites = "simple", 1
	c.script = []heardLine{up(query("select * from orders")), down(unparsed(p0), ready('I')), up(query("select 1")), down(done("SELECT 1"), ready('I'))}
	c.up, c.down = up(query(p0), query("select 1")), down(noOrders, ready('I'), done("SELECT 1"), ready('I'))
	c.runs(t)

	c.name = "pipelined, lifted before the answers"
	c.script, c.later = []heardLine{up(query("select 1"), query("select * from orders"))}, []heardLine{up(query("select * from orders")),
		down(done("SELECT 1"), ready('I'), unparsed(p0), ready('I'))}
	c.up, c.down = up(query("select 1"), query(p0), query("select * from orders")), down(done("SELECT 1"), ready('I'), noOrders, ready('I'))
	c.runs(t)
	c.later = nil

	c.name = "aborted"
	c.script = []heardLine{up(query("begin")), down(done("BEGIN"), ready('T')), up(query("select * from orders"), query("select * from orders"), query("commit")),
		down(unparsed(p0), ready('E'), unparsed(p1), ready('E'), done("ROLLBACK"), ready('I'))}
	c.up = up(query("begin"), query(p0), query(p1), query("commit"))
	c.down = down(done("BEGIN"), ready('T'), noOrders, ready('E'), said("ERROR", "25P02",
		"current transaction is aborted, commands ignored until end of transaction block", "postgres.c", 1081, 0, "exec_simple_query"), ready('E'),
		done("ROLLBACK"), ready('I'))
	c.runs(t)

	parse := &pgproto3.Parse{Name: "s1", Query: "select * from orders"}
	rest := []pgproto3.Message{&pgproto3.Bind{PreparedStatement: "s1"}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{}}
	nobodys := &pgproto3.Parse{Name: "chaos_postgres_error", Query: p0}
	c.name = "extended"
	c.script = []heardLine{up(append([]pgproto3.Message{parse}, rest...)...), down(unparsed(p0), ready('I'))}
	c.up = up(&pgproto3.Parse{Name: "s1", Query: p0}, &pgproto3.Parse{Name: "chaos_postgres_error", Query: p1}, rest[1],
		&pgproto3.Execute{}, &pgproto3.Sync{})
	c.down = down(noOrders, ready('I'))
	c.runs(t)

	c.name, c.before = "prepared before", append(begun[:4:4], up(parse, &pgproto3.Sync{}), down(&pgproto3.ParseComplete{}, ready('I')))
	c.script = []heardLine{up(rest...), down(unparsed(p0), ready('I'))}
	c.up = up(nobodys, rest[1], rest[2], rest[3])
	c.runs(t)
}

func TestPostgresErrorWhileRunning(t *testing.T) {
	canceled := said("ERROR", "57014", "canceling statement due to statement timeout", "postgres.c", 3319, 0, "ProcessInterrupts")
	c := pgCase{value: "57014", before: begun}
	p0 := c.poison(t, 0)
	group := []pgproto3.Message{&pgproto3.Parse{Query: "select $1"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}}
	c.name, c.bites = "extended", 1
	c.script = []heardLine{up(group...), down(&pgproto3.ParseComplete{}, &pgproto3.BindComplete{}, unparsed(p0), ready('I'))}
	c.up = up(group[0], group[1], &pgproto3.Parse{Name: "chaos_postgres_error", Query: p0}, group[3])
	c.down = down(&pgproto3.ParseComplete{}, &pgproto3.BindComplete{}, canceled, ready('I'))
	c.runs(t)

	c.name, c.bites = "the server's own error first", 0
	own := said("ERROR", "42703", `column "x" does not exist`, "parse_relation.c", 1, 1, "x")
	c.script = []heardLine{up(group...), down(own, ready('I'))}
	c.down = down(own, ready('I'))
	c.runs(t)

	c.name = "control"
	c.script = []heardLine{up(query("begin"), query("-- ping"), query("set x = 1"), query("rollback"))}
	c.up, c.down = c.script[0], heardLine{}
	c.runs(t)
}

func TestPostgresErrorAtCommit(t *testing.T) {
	c := pgCase{value: map[string]any{"code": "40001", "match": "(?i)^commit"}, before: begun}
	p0 := c.poison(t, 0)
	ends := said("ERROR", "42703", `column "`+p0+`" does not exist`, "parse_relation.c", 3665, 18, "errorMissingColumn")
	c.name, c.bites = "commit", 1
	c.script = []heardLine{up(query("begin")), down(done("BEGIN"), ready('T')), up(query("COMMIT")), down(done("ROLLBACK"), ends, ready('I'))}
	c.up = up(query("begin"), query(`ROLLBACK; SELECT "`+p0+`"`))
	c.down = down(done("BEGIN"), ready('T'), said("ERROR", "40001", "could not serialize access due to concurrent update", "nodeModifyTable.c", 2399, 0,
		"ExecUpdate"), ready('I'))
	c.runs(t)
	c.name, c.bites = "aborted", 0
	c.script[1] = down(done("BEGIN"), ready('E'))
	c.down = down(done("BEGIN"), ready('E'), done("ROLLBACK"), ready('I'))
	c.runs(t)
}

// A session that was open before the fault was there is left alone until one exchange shows where messages begin.
func TestPostgresErrorFindsItsWay(t *testing.T) {
	fatal := said("FATAL", "57P01", "terminating connection due to administrator command", "postgres.c", 3211, 0, "ProcessInterrupts")
	for name, c := range map[string]struct {
		script []heardLine
		struck bool
	}{
		"one exchange":         {[]heardLine{up(query("select 1")), down(done("SELECT 1"), ready('I'))}, true},
		"in pieces":            {[]heardLine{up(query("select 1")), down(done("SELECT 1")), down(ready('T'))}, true},
		"extended":             {[]heardLine{up(&pgproto3.Parse{Query: "select 1"}, &pgproto3.Sync{}), down(&pgproto3.ParseComplete{}, ready('I'))}, true},
		"the end of an answer": {[]heardLine{down(done("SELECT 1"), ready('I'))}, false},
		"two, one answered":    {[]heardLine{up(query("select 1"), query("select 2")), down(done("SELECT 1"), ready('I'))}, false},
		"half a message":       {[]heardLine{{Upstream, up(query("select 1")).data[:9]}, down(done("SELECT 1"), ready('I'))}, false},
		"more meanwhile":       {[]heardLine{up(query("select 1")), up(query("select 2")), down(done("SELECT 1"), ready('I'))}, false},
		"copy":                 {[]heardLine{up(query("copy t from stdin")), down(&pgproto3.CopyInResponse{}), down(ready('I'))}, false},
		"encrypted":            {[]heardLine{{Upstream, []byte("\x17\x03\x03\x00\x01x")}, {Downstream, []byte("\x17\x03\x03\x00\x01x")}}, false},
	} {
		conversation := behaviour(t, "postgres_error", "57P01").Converse(seeded(), false)
		talk := &settlingTalk{fakeTalk: fakeTalk{script: c.script}}
		conversation.Run(talk)
		var want [2][]byte
		for _, l := range c.script {
			want[l.d] = append(want[l.d], l.data...)
		}
		if c.struck {
			want[Downstream] = append(want[Downstream], encodePG(fatal)...)
		}
		require.Equal(t, string(want[Downstream]), string(talk.passed[Downstream]), name)
		require.Equal(t, string(want[Upstream]), string(talk.passed[Upstream]), name)
		require.Equal(t, c.struck, talk.closed == "close", name)
	}
}

// A statement beyond what is looked at fails too, and the rest of it is not kept.
func TestPostgresErrorFailsLargeStatements(t *testing.T) {
	c := pgCase{name: "large", value: "57014", before: begun, bites: 1}
	p0 := c.poison(t, 0)
	large := up(query("select '" + strings.Repeat("x", 3*pgStatementHead) + "'")).data
	for _, at := range []int{1, 5, 100, pgStatementHead - 1, pgStatementHead, pgStatementHead + 1, len(large) - 1} {
		c.up = up(query(p0), query("begin"))
		c.down = down(said("ERROR", "57014", "canceling statement due to statement timeout", "postgres.c", 3319, 0, "ProcessInterrupts"), ready('I'))
		c.plays(t, c.before, []heardLine{{Upstream, large[:at]}, {Upstream, large[at:]}, down(unparsed(p0), ready('I')), up(query("begin"))}, nil)
		if at >= pgStatementHead { // it is struck before the lift, and its rest comes after
			c.plays(t, c.before, []heardLine{{Upstream, large[:at]}}, []heardLine{{Upstream, large[at:]}, down(unparsed(p0), ready('I')), up(query("begin"))})
		}
	}
}
