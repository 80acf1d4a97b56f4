package faults

import (
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pgError is what a PostgreSQL server says under one SQLSTATE. The texts and places are those of PostgreSQL 15.18; where it was not seen to
// say it, the place is left out.
type pgError struct {
	message, detail, hint string // %u user, %d database, %r relation, %c command
	file                  string
	line                  int32
	routine               string

	authenticated bool   // the server lets the client in before it says so
	analysis      bool   // it is found while a statement is analysed, not while it runs
	needs         pgNeed // which statements it can strike
}

// pgNeed is what a statement must do for an error to make sense.
type pgNeed int

const (
	pgAny      pgNeed = iota
	pgRelation        // it names a relation that is not the system's own
	pgWrites          // it changes something
)

// pgErrors are the errors whose words are known.
var pgErrors = map[string]pgError{
	"57P03": {message: "the database system is starting up", file: "postmaster.c", line: 2415, routine: "ProcessStartupPacket"},
	"53300": {message: "sorry, too many clients already", file: "proc.c", line: 357, routine: "InitProcess"},
	"28P01": {message: `password authentication failed for user "%u"`, file: "auth.c", line: 334, routine: "auth_failed"},
	"28000": {message: `no pg_hba.conf entry for host "127.0.0.1", user "%u", database "%d", no encryption`,
		file: "auth.c", line: 544, routine: "ClientAuthentication"},
	"3D000": {message: `database "%d" does not exist`, file: "postinit.c", line: 948, routine: "InitPostgres", authenticated: true},

	"57P01": {message: "terminating connection due to administrator command", file: "postgres.c", line: 3211, routine: "ProcessInterrupts"},
	"57P02": {message: "terminating connection because of crash of another server process",
		detail: "The postmaster has commanded this server process to roll back the current transaction and exit, because another server " +
			"process exited abnormally and possibly corrupted shared memory.",
		hint: "In a moment you should be able to reconnect to the database and repeat your command.",
		file: "postgres.c", line: 2895, routine: "quickdie"},
	"57P05": {message: "terminating connection due to idle-session timeout", file: "postgres.c", line: 3374, routine: "ProcessInterrupts"},
	"25P03": {message: "terminating connection due to idle-in-transaction timeout", file: "postgres.c", line: 3363, routine: "ProcessInterrupts"},

	"42P01": {message: `relation "%r" does not exist`, file: "parse_relation.c", line: 1392, routine: "parserOpenTable", needs: pgRelation},
	"42501": {message: "permission denied for table %r", file: "aclchk.c", line: 3655, routine: "aclcheck_error", needs: pgRelation},
	"25006": {message: "cannot execute %c in a read-only transaction", file: "utility.c", line: 414, routine: "PreventCommandIfReadOnly", needs: pgWrites},
	"40001": {message: "could not serialize access due to concurrent update", file: "nodeModifyTable.c", line: 2399, routine: "ExecUpdate"},
	"40P01": {message: "deadlock detected", hint: "See server log for query details.", file: "deadlock.c", line: 1147, routine: "DeadLockReport"},
	"57014": {message: "canceling statement due to statement timeout", file: "postgres.c", line: 3319, routine: "ProcessInterrupts"},
	"55P03": {message: "canceling statement due to lock timeout", file: "postgres.c", line: 3312, routine: "ProcessInterrupts"},
	"53100": {message: `could not extend file "base/5/16384": No space left on device`, hint: "Check free disk space.", needs: pgWrites},
	"53200": {message: "out of memory", detail: `Failed on request of size 8192 in memory context "ExprContext".`},
	"22012": {message: "division by zero", file: "int.c", line: 869, routine: "int4div"},
}

// pgClasses say something true about codes whose words are not known, by their first two characters.
var pgClasses = map[string]string{
	"08": "connection exception", "0A": "feature not supported", "21": "cardinality violation", "22": "data exception",
	"23": "integrity constraint violation", "24": "invalid cursor state", "25": "invalid transaction state", "26": "invalid SQL statement name",
	"28": "invalid authorization specification", "2B": "dependent privilege descriptors still exist", "34": "invalid cursor name",
	"3D": "invalid catalog name", "3F": "invalid schema name", "40": "transaction rollback", "42": "syntax error or access rule violation",
	"44": "WITH CHECK OPTION violation", "53": "insufficient resources", "54": "program limit exceeded", "55": "object not in prerequisite state",
	"57": "operator intervention", "58": "system error", "F0": "configuration file error", "HV": "foreign data wrapper error",
	"P0": "PL/pgSQL error", "XX": "internal error",
}

// pgErrorOf returns what is said under a code; message, if there is one, instead of the server's own.
func pgErrorOf(code, message string) pgError {
	e, ok := pgErrors[code]
	if !ok {
		e.message = pgClasses[code[:2]]
		if e.message == "" {
			e.message = "error " + code
		}
	}
	// Class 42 is found while a statement is analysed, but for rights, which are looked at when it begins to run.
	e.analysis = strings.HasPrefix(code, "42") && code != "42501"
	if message != "" {
		e.message = message
	}
	return e
}

// pgSessionCodes end sessions that are open.
var pgSessionCodes = map[string]bool{"57P01": true, "57P02": true, "57P05": true, "25P03": true}

// pgPlace says where an error strikes, when nobody said it.
func pgPlace(code string) string {
	switch {
	case pgSessionCodes[code]:
		return "session"
	case code == "57P03" || code == "53300" || code == "3D000" || strings.HasPrefix(code, "28"):
		return "startup"
	}
	return "statement"
}

// pgRefusal is what new sessions are told while open ones are ended; ok is false when they are let in.
func pgRefusal(code string) (e pgError, ok bool) {
	e = pgErrorOf("57P03", "")
	switch code {
	case "57P01":
		e.message, e.line = "the database system is shutting down", 2432
		return e, true
	case "57P02":
		e.message = "the database system is in recovery mode"
		return e, true
	}
	return pgError{}, false
}

// pgFill puts names into a text.
func pgFill(text string, names map[string]string) string {
	for key, name := range names {
		text = strings.ReplaceAll(text, key, name)
	}
	return text
}

// encode returns the message ErrorResponse.
func (e pgError) encode(severity, code string, position int32) []byte {
	return encodePG(&pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: code, Message: e.message, Detail: e.detail,
		Hint: e.hint, Position: position, File: e.file, Line: e.line, Routine: e.routine})
}

// ending returns what ends an open session: FATAL, but for a crash, of which the server only has time to warn.
func (e pgError) ending(code string) []byte {
	if code != "57P02" {
		return e.encode("FATAL", code, 0)
	}
	return encodePG(&pgproto3.NoticeResponse{Severity: "WARNING", SeverityUnlocalized: "WARNING", Code: code, Message: e.message, Detail: e.detail,
		Hint: e.hint, File: e.file, Line: e.line, Routine: e.routine})
}

// encodePG returns the bytes of messages. They fail only beyond a gigabyte.
func encodePG(messages ...pgproto3.Message) (out []byte) {
	for _, m := range messages {
		if b, err := m.Encode(out); err == nil {
			out = b
		}
	}
	return out
}
