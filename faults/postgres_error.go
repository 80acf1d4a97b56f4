package faults

import (
	"fmt"
	"math/rand/v2"
	"regexp"
)

// postgresError is a PostgreSQL server that is up and says no.
func postgresError() Kind {
	return Kind{
		Name:      "postgres_error",
		Protocols: []string{"postgres"},
		Doc: "A PostgreSQL server that is up and says no, by SQLSTATE, with the bytes of PostgreSQL 15. Where it strikes follows from the code, or from `at`. " +
			"`startup` (57P03 starting up, 53300 too many connections, 28P01, 28000, 3D000): new sessions are answered with FATAL and never reach " +
			"the dependency; open ones go on. A request for TLS is answered like by a server without it, so that a client that requires TLS says so " +
			"instead; 28P01 asks for a SCRAM-SHA-256 password first, so that a client without one says that. " +
			"`session` (57P01 administrator's shutdown, 57P02 crash of another process, 57P05 and 25P03 idle timeouts): open sessions are ended at the " +
			"next border between messages, the idle timeouts only when they idle; with 57P01 and 57P02 new sessions get 57P03 meanwhile. " +
			"`statement` (42P01, 42501, 25006, 40001, 40P01, 57014, 53100 and all other codes): statements fail that `match`, or, without it, all that " +
			"the code makes sense for: never transaction control, settings or empty statements, for 42P01 and 42501 only what names " +
			"a relation that is not the system's, for 25006 and 53100 only what writes. In place of the statement the server gets one that cannot be " +
			"parsed (its name begins with chaos_, and it is in the server's log), and its error is answered as the one asked for: so transactions " +
			"are aborted as they would be, 25P02 included, also when the fault is lifted meanwhile. A statement that was prepared before fails when it is used, " +
			"by the SQL with which it was prepared; SQL's own EXECUTE by its own words. Where this fault was not there to see it prepared, it cannot match; without `match` it " +
			"fails if the code makes sense for all statements and it is bound with values, as one without could be a ROLLBACK. Up to 4000 statements of a session are known. A COMMIT that fails (in a simple query, by `match`) rolls back. " +
			"Several statements in one query fail together, and only their first 64 KiB are looked at. " +
			"A session that is encrypted passes untouched: use sslmode=disable for `session` and `statement`. So does one that was open before the " +
			"fault was there, until one exchange of whole messages showed where they begin.",
		Client: "FATAL or ERROR with the SQLSTATE and the server's words: at the start of a session, then the end of the stream; in an open one, then the end " +
			"of the stream; or in place of a statement's answer, and the session goes on.",
		Example: "{on: postgres, during: database, for: 3s, fault: {postgres_error: 57P03}}",
		Params: []Param{
			{Name: "code", Type: TypeString, Default: "57P03", Pattern: sqlState, Expects: "an SQLSTATE: five characters A-Z and 0-9, in quotes if all are digits",
				Doc: "The SQLSTATE."},
			{Name: "message", Type: TypeString, Default: "", Doc: "The primary message; empty: what the server says under that code."},
			{Name: "at", Type: TypeEnum, Default: "auto", Enum: []string{"auto", "startup", "session", "statement"},
				Doc: "Where it strikes; auto: where the server says that code."},
			{Name: "match", Type: TypeString, Default: "", Doc: "A regular expression for the SQL of the statements that fail, for `statement`; empty: all that the code makes sense for."},
		},
		Behave: behavePostgresError,
		check:  checkPostgresError,
	}
}

var sqlState = regexp.MustCompile(`^[0-9A-Z]{5}$`)

func checkPostgresError(s Spec) []Problem {
	if code := s.Text("code"); code < "03" {
		return []Problem{{Param: "code", Text: fmt.Sprintf("postgres_error.code: %s is no error; its class must be 03 or higher", code)}}
	}
	match := s.Text("match")
	if match == "" {
		return nil
	}
	if _, err := regexp.Compile(match); err != nil {
		return []Problem{{Param: "match", Text: fmt.Sprintf("postgres_error.match: expected a regular expression, got %s (%v)", show(match), err)}}
	}
	if at := pgAt(s); at != "statement" {
		return []Problem{{Param: "match", Text: fmt.Sprintf("postgres_error.match is for statements, and %s strikes at %s", s.Text("code"), at),
			Suggest: "at: statement"}}
	}
	return nil
}

// pgAt is where the fault strikes.
func pgAt(s Spec) string {
	if at := s.Text("at"); at != "auto" {
		return at
	}
	return pgPlace(s.Text("code"))
}

func behavePostgresError(s Spec) Behaviour {
	plan := pgPlan{code: s.Text("code"), at: pgAt(s)}
	plan.error = pgErrorOf(plan.code, s.Text("message"))
	plan.said = s.Text("message") != ""
	if match := s.Text("match"); match != "" {
		plan.match = regexp.MustCompile(match)
	}
	return Behaviour{Converse: func(random *rand.Rand, whole bool) Conversation {
		return &pgConversation{pgPlan: plan, pgSession: newPGSession(whole), begin: pgBeginning{random: random},
			token: fmt.Sprintf("chaos_%s_%016x_", plan.code, random.Uint64())}
	}}
}

// pgPlan is what the fault is to do.
type pgPlan struct {
	code  string
	at    string // startup, session, statement
	error pgError
	said  bool           // the message is the user's
	match *regexp.Regexp // nil: what the code makes sense for
}

// strikes says what happens to a statement; nil: nothing.
func (p pgPlan) strikes(sql string) *pgStrike {
	s := readSQL(sql)
	switch s.command {
	case "", "ROLLBACK", "ABORT":
		return nil // nothing fails here, and a client must be able to give up
	}
	k := &pgStrike{error: p.error, commit: s.command == "COMMIT" || s.command == "END"}
	if p.match != nil {
		found := p.match.FindString(sql)
		if !p.match.MatchString(sql) {
			return nil
		}
		if s.relation == "" {
			s.relation = found
		}
	} else if pgControl[s.command] || p.error.needs == pgRelation && s.relation == "" || p.error.needs == pgWrites && !s.writes {
		return nil
	}
	if p.code == "42P01" {
		k.position = s.position
		switch {
		case s.position == 0:
			k.error.file, k.error.line, k.error.routine = "namespace.c", 433, "RangeVarGetRelidExtended"
		case s.schema:
			k.error.line = 1371
		}
	}
	if !p.said {
		k.error.message = pgFill(k.error.message, map[string]string{"%r": s.relation, "%c": s.command})
	}
	return k
}

// pgControl are the commands that transactions and settings consist of: errors of data do not strike there.
var pgControl = map[string]bool{"BEGIN": true, "START": true, "COMMIT": true, "END": true, "SAVEPOINT": true, "RELEASE": true, "SET": true, "RESET": true,
	"SHOW": true, "DISCARD": true, "DEALLOCATE": true, "LISTEN": true, "UNLISTEN": true, "NOTIFY": true, "CLOSE": true}

// pgStrike is one statement that fails.
type pgStrike struct {
	error    pgError
	position int32
	commit   bool
	group    int  // how many ReadyForQuery come before its own
	from     byte // the message that it took the place of
	bytes    int
}
