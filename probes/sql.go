package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

func sqlKind() Kind {
	return Kind{
		Name: "sql",
		Doc: "Runs a query on PostgreSQL (simple protocol) and compares the first column of the first row. Several statements separated by " +
			"semicolons are one transaction, which makes a round trip: write, read, roll back.",
		Example: "sql:\n  dsn: postgres://app:secret@127.0.0.1:5432/app?sslmode=disable\n" +
			"  query: begin; insert into threads (title) values ('probe'); select title from threads where title = 'probe'; rollback\n" +
			"  expect: probe",
		used:  func(s Spec) bool { return s.SQL != nil },
		build: func(s Spec, _ Env) (attempt, error) { return s.SQL.build() },
	}
}

type sqlProbe struct {
	config *pgconn.Config
	query  string
	want   any
	what   string
}

func (s SQL) build() (attempt, error) {
	if s.DSN == "" {
		return attempt{}, errors.New("dsn is missing; expected postgres://user:password@host:port/database")
	}
	config, err := pgconn.ParseConfig(s.DSN)
	if err != nil { // its text may hold a part of the password
		return attempt{}, errors.New("dsn cannot be read; expected postgres://user:password@host:port/database?sslmode=disable, " +
			"with special characters of the password written as %XX")
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = userAgent
	}
	config.MaxProtocolMessageBodyLen = maxRead
	p := sqlProbe{config: config, query: s.Query, want: s.Expect}
	if p.query == "" {
		p.query = "select 1"
	}
	p.what = fmt.Sprintf("sql %q on %s", short(p.query), net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))))
	return attempt{p.ask, []string{config.Password}}, nil
}

func (p sqlProbe) ask(ctx context.Context) (Answer, error) {
	w, done := newWire(ctx)
	defer done()
	config := p.config.Copy()
	bye, doneBye := newWire(context.WithoutCancel(ctx))
	defer doneBye()
	config.DialFunc = func(dialCtx context.Context, network, address string) (net.Conn, error) {
		if ctx.Err() == nil {
			return w.dial(dialCtx, network, address)
		}
		return bye.dial(dialCtx, network, address) // pgconn cancels the query that was cut off: a statement that waits for a lock must not run later
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return Answer{}, p.failed(ctx, err)
	}
	defer func() {
		_ = conn.Close(ctx)
		done()
		farewell(conn, doneBye)
	}()
	got, found, err := first(conn.Exec(ctx, p.query))
	if err != nil {
		return Answer{Body: got}, p.failed(ctx, err)
	}
	if p.want == nil {
		return Answer{Body: got}, nil
	}
	if !found {
		return Answer{}, expected(p.what, p.wanted(), "no row")
	}
	if want := text(p.want); got != want && !sameNumber(got, want) {
		return Answer{Body: got}, expected(p.what, p.wanted(), shortOr(got, "an empty text"))
	}
	return Answer{Body: got}, nil
}

// cancelling is how long a query that was cut off may take to be cancelled, beyond the attempt's timeout.
const cancelling = 200 * time.Millisecond

// farewell waits until pgconn, which cleans up a failed connection in the background, has done so.
func farewell(conn *pgconn.PgConn, hurry func()) {
	timer := time.AfterFunc(cancelling, hurry)
	defer timer.Stop()
	<-conn.CleanupDone()
}

// first returns the first column of the first row of all results, as text, and reads them to the end: an error may come last.
func first(results *pgconn.MultiResultReader) (value string, found bool, err error) {
	for results.NextResult() {
		rows := results.ResultReader()
		for rows.NextRow() {
			if columns := rows.Values(); !found && len(columns) > 0 {
				value, found = column(columns[0], rows.FieldDescriptions()[0].DataTypeOID), true
			}
		}
	}
	return value, found, results.Close()
}

// column writes a value as a file would: true and false for a boolean, null for NULL.
func column(raw []byte, oid uint32) string {
	switch {
	case raw == nil:
		return "null"
	case oid == pgtype.BoolOID && string(raw) == "t":
		return "true"
	case oid == pgtype.BoolOID && string(raw) == "f":
		return "false"
	}
	return string(raw)
}

// text writes an expected value as PostgreSQL would.
func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	return render(value)
}

func (p sqlProbe) wanted() string {
	if p.want == nil {
		return "an answer"
	}
	return short(text(p.want))
}

func (p sqlProbe) failed(ctx context.Context, err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		got := short(fmt.Sprintf("%s %s: %s", server.Severity, server.Code, server.Message))
		return &mismatch{what: p.what, want: p.wanted(), got: got, cause: err}
	}
	var connect *pgconn.ConnectError
	var large *pgproto3.ExceededMaxBodyLenErr
	isConnect, isLarge := errors.As(err, &connect), errors.As(err, &large)
	switch {
	case isLarge && !isConnect:
		return &mismatch{what: p.what, want: p.wanted(), got: "a row of more than 1 MiB", cause: err}
	case isLarge, strings.Contains(err.Error(), "invalid message length"), strings.Contains(err.Error(), "unknown message type"):
		return &mismatch{what: p.what, want: p.wanted(), got: "an answer that is not PostgreSQL's protocol", cause: err}
	case isConnect: // its text begins with the user and the database
		return unanswered(ctx, p.what, p.wanted(), connect.Unwrap())
	}
	return unanswered(ctx, p.what, p.wanted(), err)
}
