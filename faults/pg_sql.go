package faults

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// pgSQL is what an error must know of a statement. It is read without a grammar: well enough for what services send at startup.
type pgSQL struct {
	command  string // "SELECT", "CREATE TABLE"; empty: nothing to execute
	writes   bool
	relation string // as the server would print it; empty: none, or only the system's own
	position int32  // of its name in characters, from 1; 0 where the server tells none
	schema   bool   // the relation is named with its schema
}

// readSQL reads a statement, or the beginning of a long one.
func readSQL(sql string) pgSQL {
	bare := maskSQL(sql)
	words := strings.Fields(strings.ToUpper(strings.TrimLeft(bare, "; \t\r\n(")))
	if len(words) == 0 {
		return pgSQL{}
	}
	s := pgSQL{command: strings.Trim(words[0], ";()")}
	switch s.command {
	case "CREATE", "ALTER", "DROP":
		s.command += " " + pgObject(words[1:])
		s.writes = true
	case "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "REINDEX", "GRANT", "REVOKE", "COMMENT", "REFRESH":
		s.writes = true
	case "SELECT":
		if lock := pgLocks.FindString(bare); lock != "" {
			s.command, s.writes = "SELECT "+strings.ToUpper(strings.Join(strings.Fields(lock), " ")), true
		}
	case "WITH":
		s.command = "SELECT"
		if w := pgChanges.FindStringSubmatch(bare); w != nil {
			s.command, s.writes = strings.ToUpper(w[1]), true
		}
	case "COPY":
		if pgCopyFrom.MatchString(bare) {
			s.command, s.writes = "COPY FROM", true
		}
	}
	if s.command == "TRUNCATE" {
		s.command = "TRUNCATE TABLE"
	}
	s.findRelation(sql, bare)
	return s
}

var (
	pgLocks    = regexp.MustCompile(`(?is)\bfor\s+(?:no\s+key\s+update|update|key\s+share|share)\b`)
	pgChanges  = regexp.MustCompile(`(?is)\b(insert|update|delete|merge)\b\s+(?:into|from|only|[a-z_"])`)
	pgCopyFrom = regexp.MustCompile(`(?is)^\s*copy\b.*?\bfrom\b`)
	pgUsed     = regexp.MustCompile(`(?is)\b(distinct\s+from|from|join|into|update|lock\s+table|lock|using|alter\s+table|truncate\s+table|truncate|copy|` +
		`index(?:\s+concurrently)?(?:\s+if\s+not\s+exists)?(?:\s+[\w$."]+)?\s+on)\s+(?:only\s+|if\s+exists\s+)*` +
		`((?:"(?:[^"]|"")+"|[a-z_\x80-\x{10ffff}][\w$\x80-\x{10ffff}]*)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[a-z_\x80-\x{10ffff}][\w$\x80-\x{10ffff}]*))*)(\s*\()?`)
	pgNamed = regexp.MustCompile(`(?is)(?:with(?:\s+recursive)?|,)\s*("(?:[^"]|"")+"|[a-z_][\w$]*)\s*(?:\([^()]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s*)?\(`)
)

// pgNoNames stand where a relation could and are none.
var pgNoNames = map[string]bool{"set": true, "of": true, "nowait": true, "skip": true, "select": true, "lateral": true, "values": true, "only": true,
	"where": true, "as": true, "unnest": true, "stdin": true, "stdout": true, "current_date": true, "current_timestamp": true, "table": true, "if": true}

// pgObject is the kind of thing that CREATE, ALTER or DROP is about.
func pgObject(words []string) string {
	for _, w := range words {
		switch w = strings.Trim(w, ";("); w {
		case "OR", "REPLACE", "UNIQUE", "TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL", "RECURSIVE":
			continue
		case "MATERIALIZED":
			return "MATERIALIZED VIEW"
		default:
			return w
		}
	}
	return ""
}

// findRelation takes the first relation that the statement needs.
func (s *pgSQL) findRelation(sql, bare string) {
	if (strings.HasPrefix(s.command, "CREATE ") && s.command != "CREATE INDEX") || strings.HasPrefix(s.command, "DROP ") {
		return // these make it, or say something else
	}
	own := map[string]bool{}
	for _, m := range pgNamed.FindAllStringSubmatchIndex(bare, -1) {
		own[pgFold(sql[m[2]:m[3]])] = true
	}
	for at := 0; ; {
		m := pgUsed.FindStringSubmatchIndex(bare[at:])
		if m == nil {
			return
		}
		for i := range m {
			if m[i] >= 0 {
				m[i] += at
			}
		}
		at = m[4]
		word := strings.ToLower(strings.Fields(bare[m[2]:m[3]])[0])
		name := pgFold(sql[m[4]:m[5]])
		call := m[6] >= 0 && (word == "from" || word == "join" || word == "using")
		if call || word == "distinct" || word == "using" && s.command != "DELETE" && s.command != "MERGE" || own[name] || pgNoNames[name] || systemRelation(name) {
			continue
		}
		s.relation, s.schema = name, strings.Contains(name, ".")
		switch word {
		case "from", "join", "into", "update", "using":
			s.position = int32(utf8.RuneCountInString(sql[:m[4]])) + 1 // #nosec G115 -- at most pgStatementHead
		}
		if s.command == "COPY" || s.command == "COPY FROM" {
			s.position = 0
		}
		return
	}
}

// systemRelation says whether a relation is there whatever happens to the application's.
func systemRelation(name string) bool {
	return strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "information_schema.")
}

// pgFold writes a name as the server prints it: small letters, unless it was quoted.
func pgFold(name string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c == '"' && quoted && i+1 < len(name) && name[i+1] == '"':
			b.WriteByte(c)
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
			b.WriteByte(c)
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// maskSQL blanks comments, texts and what is in quoted names, so that no word in them is taken for one of the statement. Every byte keeps its place.
func maskSQL(sql string) string {
	out := []byte(sql)
	for i := 0; i < len(sql); {
		n := pgSkipped(sql[i:])
		if n == 0 {
			end := i + 1
			if sql[i] == '"' { // a name, whose words are none
				end = i + quotedLength(sql[i:], '"', false)
				for j := i + 1; j < end-1; j++ {
					out[j] = '_'
				}
			}
			i = end
			continue
		}
		for j := i; j < i+n; j++ {
			out[j] = ' '
		}
		i += n
	}
	// In extract(year from x) no relation follows.
	for _, m := range pgFromInCall.FindAllSubmatchIndex(out, -1) {
		copy(out[m[2]:m[3]], "    ")
	}
	return string(out)
}

var pgFromInCall = regexp.MustCompile(`(?is)\b(?:extract|substring|trim|overlay)\s*\([^()]*?\b(from)\b`)

var pgDollar = regexp.MustCompile(`^\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$`)

// pgSkipped is the length of the comment or text with which s begins; 0: it does not.
func pgSkipped(s string) int {
	until := func(from int, end string) int {
		if n := strings.Index(s[from:], end); n >= 0 {
			return from + n + len(end)
		}
		return len(s)
	}
	switch {
	case strings.HasPrefix(s, "--"):
		return until(2, "\n")
	case strings.HasPrefix(s, "/*"):
		return until(2, "*/")
	case s[0] == '\'':
		return quotedLength(s, '\'', false)
	case len(s) > 1 && (s[0] == 'E' || s[0] == 'e') && s[1] == '\'':
		return 1 + quotedLength(s[1:], '\'', true)
	case s[0] == '$':
		if tag := pgDollar.FindString(s); tag != "" {
			return until(len(tag), tag)
		}
	}
	return 0
}

// quotedLength is the length of what is quoted at the beginning of s. A doubled quote is none.
func quotedLength(s string, quote byte, escapes bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}
