package litepg

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	wire "github.com/jeroenrinzema/psql-wire"
	"github.com/jeroenrinzema/psql-wire/codes"
)

// ran is the outcome of a statement: rows for the client and the words of
// CommandComplete.
type ran struct {
	rows [][]any
	tag  string
}

// execute runs one statement. batch says that more than one statement may belong
// to the same implicit transaction: a simple query of several statements, or an
// extended one until Sync.
func (s *session) execute(ctx context.Context, st *statement, params []any, batch bool) (ran, error) {
	if err := s.allowed(st); err != nil {
		return ran{}, err
	}
	out, err := s.perform(ctx, st, params, batch)
	if err != nil {
		return ran{}, s.fail(ctx, err)
	}
	if s.tx == idle && !s.implicit {
		s.server.locks.releaseAll(s, true)
	}
	return out, nil
}

// allowed refuses all but the end of a failed transaction.
func (s *session) allowed(st *statement) error {
	if s.tx != failed {
		return nil
	}
	switch st.action {
	case commitTx, rollbackTx, rollbackTo:
		return nil
	}
	return newError(failedTx, "current transaction is aborted, commands ignored until end of transaction block")
}

// fail records an error: an open transaction can then only be rolled back.
func (s *session) fail(ctx context.Context, err error) error {
	if name, found := s.uniqueIndex(err); found {
		err = withConstraint(codes.UniqueViolation, name, "duplicate key value violates unique constraint %q", name)
	}
	err = translate(ctx, err)
	if s.tx != idle {
		s.tx = failed
	}
	if s.implicit {
		s.finish(false)
	}
	return err
}

func (s *session) perform(ctx context.Context, st *statement, params []any, batch bool) (ran, error) {
	switch st.action {
	case runSQL:
		return s.runSteps(ctx, st, params, batch)
	case beginTx:
		// A transaction that was implicit until here goes on as an explicit one.
		s.implicit = false
		if s.tx == idle {
			s.tx, s.begun = inTx, time.Now()
		}
	case commitTx:
		return s.commit(ctx)
	case rollbackTx:
		s.finish(false)
	case savepoint, releaseTo, rollbackTo:
		return ran{tag: st.tag}, s.runSavepoint(ctx, st)
	case setVariable:
		s.settings[st.arg] = st.value
	case show:
		v, ok := s.setting(st.arg)
		if !ok {
			return ran{}, newError(undefinedObject, "unrecognized configuration parameter %q", st.arg)
		}
		return ran{tag: "SHOW", rows: [][]any{{v}}}, nil
	case createDatabase:
		return ran{tag: st.tag}, s.server.CreateDatabase(st.arg)
	case dropDatabase:
		return ran{tag: st.tag}, s.server.DropDatabase(st.arg, st.ifExists, st.force)
	}
	return ran{tag: st.tag}, nil
}

func (s *session) commit(ctx context.Context) (ran, error) {
	if s.tx == failed {
		s.finish(false)
		return ran{tag: "ROLLBACK"}, nil
	}
	if s.locked {
		if err := s.exec(ctx, "COMMIT"); err != nil {
			err = translate(ctx, err)
			s.finish(false)
			return ran{}, err
		}
		s.locked = false
	}
	s.finish(true)
	return ran{tag: "COMMIT"}, nil
}

// finish ends the transaction, by ROLLBACK if it is still open in SQLite. It
// must work although the statement was cancelled.
func (s *session) finish(committed bool) {
	if s.locked && !committed {
		// An error means that SQLite has rolled back by itself already.
		_ = s.exec(context.Background(), "ROLLBACK")
	}
	s.locked, s.tx, s.implicit, s.begun = false, idle, false, time.Time{}
	s.server.locks.releaseAll(s, true)
}

// sync ends the implicit transaction of an extended query.
func (s *session) sync(ctx context.Context, broken bool) error {
	if !s.implicit {
		return nil
	}
	if broken {
		s.finish(false)
		return nil
	}
	_, err := s.commit(ctx)
	return err
}

// lock begins SQLite's transaction, for a statement that writes.
func (s *session) lock(ctx context.Context, batch bool) error {
	if s.locked || s.tx == idle && !batch {
		return nil
	}
	if err := s.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	s.locked = true
	s.implicit = s.tx == idle
	return nil
}

func (s *session) runSavepoint(ctx context.Context, st *statement) error {
	if s.tx == idle {
		return newError("25P01", "%s can only be used in transaction blocks", strings.Fields(st.tag)[0])
	}
	verb := map[action]string{savepoint: "SAVEPOINT ", releaseTo: "RELEASE ", rollbackTo: "ROLLBACK TO "}[st.action]
	if err := s.lock(ctx, false); err != nil {
		return err
	}
	if err := s.exec(ctx, verb+quote(st.arg)); err != nil {
		return err
	}
	if st.action == rollbackTo {
		s.tx = inTx
	}
	return nil
}

func (s *session) runSteps(ctx context.Context, st *statement, params []any, batch bool) (ran, error) {
	// Several steps are one statement: all or nothing.
	if st.writes {
		if err := s.lock(ctx, batch || len(st.steps) > 1); err != nil {
			return ran{}, err
		}
	}
	out, err := ran{tag: st.tag}, error(nil)
	for _, step := range st.steps {
		if skip, err := s.skipStep(ctx, step); err != nil || skip {
			if err != nil {
				return ran{}, err
			}
			continue
		}
		if out, err = s.runStep(ctx, st, step, params); err != nil {
			return ran{}, err
		}
	}
	if s.implicit && !batch {
		_, err = s.commit(ctx)
	}
	return out, err
}

// skipStep looks at what IF [NOT] EXISTS asks of a column.
func (s *session) skipStep(ctx context.Context, st step) (bool, error) {
	if !st.ifColumn && !st.ifMissing {
		return false, nil
	}
	names, _, err := s.tableColumns(ctx, st.table)
	if err != nil {
		return false, err
	}
	exists := false
	for _, n := range names {
		exists = exists || n == st.column
	}
	return exists == st.ifMissing, nil
}

func (s *session) runStep(ctx context.Context, st *statement, step step, params []any) (ran, error) {
	if !step.params {
		params = nil
	}
	if !st.rows {
		n, err := s.execCount(ctx, step.sql, params...)
		if err != nil {
			return ran{}, err
		}
		return ran{tag: countTag(st.tag, n)}, nil
	}
	rows, err := s.query(ctx, step.sql, params...)
	if err != nil {
		return ran{}, err
	}
	if len(rows.names) != len(st.columns) {
		return ran{}, newError("0A000", "cached plan must not change result type")
	}
	out := ran{tag: countTag(st.tag, int64(len(rows.values)))}
	for _, row := range rows.values {
		values, err := clientRow(row, st.columns)
		if err != nil {
			return ran{}, err
		}
		out.rows = append(out.rows, values)
	}
	return out, nil
}

func clientRow(row []driver.Value, columns wire.Columns) ([]any, error) {
	out := make([]any, len(row))
	for i, v := range row {
		c, err := clientValue(v, columns[i].Oid)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

// countTag adds the number of rows where PostgreSQL does.
func countTag(tag string, n int64) string {
	switch tag {
	case "INSERT 0", "UPDATE", "DELETE", "SELECT":
		return fmt.Sprintf("%s %d", tag, n)
	}
	return tag
}

// setting is the value SHOW gives.
func (s *session) setting(name string) (string, bool) {
	if v, ok := s.settings[name]; ok {
		return v, true
	}
	v, ok := defaultSettings[name]
	return v, ok
}

var defaultSettings = map[string]string{
	"server_version": PostgreSQLVersion + " (" + Name + ")", "server_version_num": "150000", "server_encoding": "UTF8", "client_encoding": "UTF8",
	"transaction isolation level": "read committed", "transaction_isolation": "read committed", "default_transaction_isolation": "read committed",
	"transaction_read_only": "off", "default_transaction_read_only": "off", "in_hot_standby": "off",
	"standard_conforming_strings": "on", "timezone": "UTC", "time zone": "UTC", "datestyle": "ISO, MDY", "intervalstyle": "postgres",
	"search_path": `"$user", public`, "statement_timeout": "0", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "0",
	"max_connections": "400", "integer_datetimes": "on", "application_name": "", "is_superuser": "on", "fsync": "off",
}
