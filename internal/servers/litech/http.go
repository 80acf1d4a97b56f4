package litech

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
)

// maxQuery bounds a request's body, in bytes.
const maxQuery = 256 << 20

// ServeHTTP answers one query, and the paths that health checks use.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-ClickHouse-Server-Display-Name", Name)
	switch r.URL.Path {
	case "/ping", "/replicas_status":
		_, _ = io.WriteString(w, "Ok.\n")
		return
	case "/":
	default:
		http.Error(w, "There is no handle "+r.URL.Path, http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q := request{database: "default", readOnly: r.Method != http.MethodPost}
	query := r.URL.Query()
	// ClickHouse reads the parameter and goes on with the body.
	q.text = strings.TrimSpace(query.Get("query"))
	if q.text != "" && len(body) > 0 {
		q.text += "\n"
	}
	q.text += string(body)
	if db := first(query.Get("database"), r.Header.Get("X-ClickHouse-Database")); db != "" {
		q.database = db
	}
	q.format = query.Get("default_format")
	if q.text == "" && r.Method == http.MethodGet {
		_, _ = io.WriteString(w, "Ok.\n")
		return
	}
	if err := authorize(r); err != nil {
		writeError(w, err)
		return
	}
	out, err := s.answer(r.Context(), q)
	if err != nil {
		writeError(w, s.blame(r.Context(), err))
		return
	}
	w.Header().Set("Content-Type", out.contentType)
	w.Header().Set("X-ClickHouse-Format", out.format)
	_, _ = io.WriteString(w, out.text)
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// authorize knows one user, default, without a password.
func authorize(r *http.Request) error {
	user, password, _ := r.BasicAuth()
	query := r.URL.Query()
	user = first(user, r.Header.Get("X-ClickHouse-User"), query.Get("user"), "default")
	password = first(password, r.Header.Get("X-ClickHouse-Key"), query.Get("password"))
	switch {
	case user != "default":
		return fail(unknownUser, "Unknown user %s", user)
	case password != "":
		return fail(wrongPassword, "Wrong password for user default")
	}
	return nil
}

type request struct {
	text     string
	database string
	format   string // default_format
	readOnly bool   // GET
}

type response struct {
	text        string
	format      string
	contentType string
}

// answer runs one query.
func (s *Server) answer(ctx context.Context, q request) (response, error) {
	if ok, err := s.exists(ctx, `SELECT 1 FROM "system.databases" WHERE name = ?`, q.database); err != nil || !ok {
		if err != nil {
			return response{}, err
		}
		return response{}, fail(unknownDatabase, "Database %s doesn't exist", q.database)
	}
	if in, ok := parseInsert(q.text); ok {
		if q.readOnly {
			return response{}, errReadOnly
		}
		return plain(""), s.insert(ctx, q, in)
	}
	tokens, err := sqltoken.Lex(q.text, sqltoken.ClickHouse)
	if err != nil {
		return response{}, fail(syntaxError, "Syntax error: %s", err)
	}
	statements := sqltoken.SplitStatements(tokens)
	switch len(statements) {
	case 0:
		return response{}, fail(syntaxError, "Syntax error: Empty query")
	case 1:
		return s.statement(ctx, q, statements[0])
	}
	return response{}, fail(syntaxError, "Syntax error (Multi-statements are not allowed)")
}

func plain(text string) response {
	return response{text: text, format: "TabSeparated", contentType: contentTypes["TabSeparated"]}
}

func (s *Server) exists(ctx context.Context, query string, args ...any) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM ("+query+")", args...).Scan(&n)
	if err != nil {
		return false, translate(err)
	}
	return n > 0, nil
}

func (s *Server) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.db.ExecContext(ctx, query, args...)
	return translate(err)
}

func writeError(w http.ResponseWriter, err error) {
	e := asError(err)
	w.Header().Set("X-ClickHouse-Exception-Code", fmt.Sprint(int(e.code)))
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.WriteHeader(e.code.status())
	_, _ = fmt.Fprintf(w, "Code: %d, e.displayText() = DB::Exception: %s, e.what() = DB::Exception (version %s)\n", int(e.code), e.message, version)
}
