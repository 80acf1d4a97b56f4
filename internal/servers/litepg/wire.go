package litepg

import (
	"context"
	"fmt"
	"strings"

	wire "github.com/jeroenrinzema/psql-wire"
	"github.com/jeroenrinzema/psql-wire/codes"
	psqlerr "github.com/jeroenrinzema/psql-wire/errors"
	"github.com/jeroenrinzema/psql-wire/pkg/buffer"
	"github.com/jeroenrinzema/psql-wire/pkg/types"
)

type sessionKey struct{}

func sessionOf(ctx context.Context) *session {
	s, _ := ctx.Value(sessionKey{}).(*session)
	return s
}

// authenticate trusts everybody, as the real server here does on loopback, and
// refuses an unknown database. The library can't say "authenticated" from a
// strategy of one's own, hence the message by hand.
func (srv *Server) authenticate(ctx context.Context, writer *buffer.Writer, _ *buffer.Reader) (context.Context, error) {
	params := wire.ClientParameters(ctx)
	user := params[wire.ParamUsername]
	database := params[wire.ParamDatabase]
	if database == "" {
		database = user
	}
	s, known := srv.newSession(database, user, wire.RemoteAddress(ctx).String())
	if !known {
		err := newError(unknownDatabase, "database %q does not exist", database)
		err = psqlerr.WithSeverity(err, psqlerr.LevelFatal)
		_ = wire.WriteUnterminatedError(writer, err)
		return ctx, err
	}
	for name, value := range params {
		if name != wire.ParamUsername && name != wire.ParamDatabase {
			s.settings[strings.ToLower(string(name))] = value
		}
	}
	writer.Start(types.ServerAuth)
	writer.AddInt32(0)
	return context.WithValue(ctx, sessionKey{}, s), writer.End()
}

func (srv *Server) openSession(ctx context.Context) (context.Context, error) {
	s := sessionOf(ctx)
	path, err := srv.admit(s)
	if err != nil {
		return ctx, err
	}
	if err := s.open(path); err != nil {
		srv.forget(s)
		return ctx, err
	}
	return ctx, nil
}

func (srv *Server) closeSession(ctx context.Context) error {
	s := sessionOf(ctx)
	defer srv.forget(s)
	return s.close()
}

func backendKey(ctx context.Context) (processID, secretKey int32) {
	s := sessionOf(ctx)
	return s.pid, s.secret
}

func (srv *Server) cancelRequest(_ context.Context, processID, secretKey int32) error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for s := range srv.sessions {
		if s.pid == processID && s.secret == secretKey {
			s.cancelStatement()
		}
	}
	return nil
}

func txStatus(ctx context.Context) types.ServerStatus {
	switch sessionOf(ctx).tx {
	case inTx:
		return types.ServerTransactionBlock
	case failed:
		return types.ServerTransactionFailed
	default:
		return types.ServerIdle
	}
}

func syncSession(ctx context.Context, broken bool) error {
	s := sessionOf(ctx)
	sctx, done := s.statementContext()
	defer done()
	return s.sync(sctx, broken)
}

// parse is called for a simple query, and for the one statement of a Parse
// message.
func (srv *Server) parse(ctx context.Context, query wire.Query) (statements wire.PreparedStatements, err error) {
	s := sessionOf(ctx)
	sctx, done := s.statementContext()
	defer done()
	defer s.recovered(sctx, &err)
	sources, err := parse(query.Query)
	if err != nil {
		return nil, s.fail(sctx, err)
	}
	if len(sources) == 0 {
		return wire.Prepared(wire.NewStatement(emptyQuery)), nil
	}
	if !query.SimpleQuery {
		return s.prepare(sctx, sources, query.ParameterOIDs)
	}
	b := &batch{s: s, sources: sources, statements: make([]*statement, len(sources)), errs: make([]error, len(sources))}
	return b.prepare(sctx), nil
}

func emptyQuery(_ context.Context, writer wire.DataWriter, _ []wire.Parameter) error {
	return writer.Complete("")
}

// prepare makes the statement of a Parse message.
func (s *session) prepare(ctx context.Context, sources [][]tok, oids []uint32) (wire.PreparedStatements, error) {
	if len(sources) > 1 {
		return nil, s.fail(ctx, newError(syntaxError, "cannot insert multiple commands into a prepared statement"))
	}
	st, err := s.compile(ctx, sources[0], oids)
	if err != nil {
		return nil, err
	}
	fn := func(_ context.Context, writer wire.DataWriter, parameters []wire.Parameter) error {
		return s.run(st, writer, parameters, true)
	}
	return wire.Prepared(wire.NewStatement(fn, wire.WithColumns(st.columns), wire.WithParameters(st.params))), nil
}

func (s *session) compile(ctx context.Context, source []tok, oids []uint32) (*statement, error) {
	st, err := compile(source)
	if err == nil {
		err = s.allowed(st)
	}
	if err == nil {
		err = s.describe(ctx, st, oids)
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return st, nil
}

// run executes a statement and writes its result.
func (s *session) run(st *statement, writer wire.DataWriter, parameters []wire.Parameter, batch bool) (err error) {
	ctx, done := s.statementContext()
	defer done()
	defer s.recovered(ctx, &err)
	args, err := bindAll(parameters, st.params)
	if err != nil {
		return s.fail(ctx, err)
	}
	out, err := s.execute(ctx, st, args, batch)
	if err != nil {
		return err
	}
	if err := wire.WriteRows(writer, out.rows); err != nil {
		return err
	}
	return writer.Complete(out.tag)
}

// recovered turns a panic into an error: a stand-in's mistake must not end the
// process that tests a service.
func (s *session) recovered(ctx context.Context, err *error) {
	if r := recover(); r != nil {
		*err = s.fail(ctx, newError(codes.Internal, "%s: panic: %v", Name, r))
	}
}

func bindAll(parameters []wire.Parameter, oids []uint32) ([]any, error) {
	if len(parameters) != len(oids) {
		return nil, newError("08P01", "bind message supplies %d parameters, but prepared statement requires %d", len(parameters), len(oids))
	}
	args := make([]any, len(parameters))
	for i, p := range parameters {
		v, err := bindValue(p, oids[i])
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return args, nil
}

// batch is a simple query. The library wants all statements at once, with their
// columns; but the second may read the table that the first creates. So each is
// compiled when the one before it has run, and its columns are filled in then:
// the library reads them after that.
type batch struct {
	s          *session
	sources    [][]tok
	statements []*statement
	errs       []error
	prepared   wire.PreparedStatements
}

func (b *batch) prepare(ctx context.Context) wire.PreparedStatements {
	for i := range b.sources {
		b.prepared = append(b.prepared, wire.NewStatement(func(_ context.Context, writer wire.DataWriter, _ []wire.Parameter) error {
			return b.run(i, writer)
		}))
	}
	b.compile(ctx, 0)
	return b.prepared
}

func (b *batch) compile(ctx context.Context, i int) {
	st, err := b.s.compile(ctx, b.sources[i], nil)
	if err == nil && len(st.params) > 0 {
		err = b.s.fail(ctx, newError("42P02", "there is no parameter $1"))
	}
	b.statements[i], b.errs[i] = st, err
	if err == nil {
		wire.WithColumns(st.columns)(b.prepared[i])
	}
}

func (b *batch) run(i int, writer wire.DataWriter) (err error) {
	if b.errs[i] != nil {
		return b.errs[i]
	}
	last := i == len(b.sources)-1
	if err := b.s.run(b.statements[i], writer, nil, !last); err != nil {
		return err
	}
	ctx, done := b.s.statementContext()
	defer done()
	defer b.s.recovered(ctx, &err)
	if last {
		if err := b.s.sync(ctx, false); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	}
	b.compile(ctx, i+1)
	return nil
}
