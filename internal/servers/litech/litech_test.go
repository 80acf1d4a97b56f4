package litech

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startTest(t *testing.T) func(method, target, body string, header ...string) (int, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s, err := Start(l)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		assert.NoError(t, s.Close(), "again")
	})
	return func(method, target, body string, header ...string) (int, string) {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		out, err := io.ReadAll(w.Result().Body)
		require.NoError(t, err)
		return w.Code, string(out)
	}
}

func TestPathsAndUsers(t *testing.T) {
	ask := startTest(t)
	for _, path := range []string{"/ping", "/", "/replicas_status"} {
		status, got := ask("GET", path, "")
		assert.Equal(t, 200, status)
		assert.Equal(t, "Ok.\n", got)
	}
	status, _ := ask("GET", "/nowhere", "")
	assert.Equal(t, http.StatusNotFound, status)
	status, got := ask("POST", "/?user=eve", "SELECT 1")
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, got, "Code: 192, e.displayText() = DB::Exception: Unknown user eve")
	_, got = ask("POST", "/", "SELECT 1", "X-ClickHouse-User", "default", "X-ClickHouse-Key", "x")
	assert.Contains(t, got, "Code: 193, ")
	_, got = ask("POST", "/", "SELECT currentDatabase()", "X-ClickHouse-Database", "system")
	assert.Equal(t, "system\n", got)
	_, got = ask("POST", "/", "SELECT version()")
	assert.Contains(t, got, Name)
}

func TestFormats(t *testing.T) {
	ask := startTest(t)
	for _, query := range []string{
		"CREATE TABLE t (a UInt64, b String, c Nullable(Float64), at DateTime DEFAULT toDateTime(0)) ENGINE = MergeTree() ORDER BY a",
		"INSERT INTO t (a, b, c) FORMAT CSV\n1,\"x,\"\"y\",1.5\n2,z,\\N\n",
	} {
		status, got := ask("POST", "/", query)
		require.Equal(t, 200, status, got)
	}
	for format, want := range map[string]string{
		"":                               "1\tx,\"y\t1.5\t1970-01-01 00:00:00\n2\tz\t\\N\t1970-01-01 00:00:00\n",
		" FORMAT TabSeparatedWithNames":  "a\tb\tc\tat\n1\tx,\"y\t1.5\t1970-01-01 00:00:00\n2\tz\t\\N\t1970-01-01 00:00:00\n",
		" LIMIT 1 FORMAT CSVWithNames":   "a,b,c,at\n1,\"x,\"\"y\",1.5,1970-01-01 00:00:00\n",
		" LIMIT 1, 1 FORMAT JSONEachRow": `{"a":"2","b":"z","c":null,"at":"1970-01-01 00:00:00"}` + "\n",
		" FORMAT Null":                   "",
	} {
		status, got := ask("POST", "/?query="+url.QueryEscape("SELECT * FROM t ORDER BY a"+format), "")
		assert.Equal(t, 200, status, got)
		assert.Equal(t, want, got, format)
	}
	_, got := ask("POST", "/", "SELECT a, c, count() AS n FROM t GROUP BY a, c ORDER BY a LIMIT 1 FORMAT JSONCompact")
	assert.JSONEq(t, `{"meta":[{"name":"a","type":"UInt64"},{"name":"c","type":"Nullable(Float64)"},{"name":"n","type":"UInt64"}],"data":[["1",1.5,"1"]],"rows":1}`, got)
}

func TestWhatIsLackingIsSaid(t *testing.T) {
	ask := startTest(t)
	for _, query := range []string{
		"CREATE TABLE t (a Array(String)) ENGINE = Memory", "CREATE MATERIALIZED VIEW v AS SELECT 1", "RENAME TABLE a TO b", "SELECT [1, 2]",
		"SELECT sleep(1)", "CREATE TABLE t (a UInt8) ENGINE = Kafka", "DROP DATABASE system", "ALTER TABLE t DELETE WHERE a = 1",
	} {
		status, got := ask("POST", "/", query)
		assert.GreaterOrEqual(t, status, 400, query)
		assert.Contains(t, got, "stand-in", query)
	}
	status, got := ask("POST", "/", "SELECT 1; SELECT 2")
	assert.Equal(t, 400, status)
	assert.Contains(t, got, "Multi-statements are not allowed")
}

// Whatever is sent, the answer is a result or an error with a code.
func TestAnyTextIsAnswered(t *testing.T) {
	ask := startTest(t)
	_, _ = ask("POST", "/", "CREATE TABLE t (a UInt8, b String) ENGINE = Memory")
	words := rapid.SampledFrom(strings.Fields(`SELECT FROM WHERE INSERT INTO VALUES CREATE TABLE DATABASE IF NOT EXISTS ENGINE = Memory ALTER ADD COLUMN DROP
		DEFAULT String UInt8 Nullable ( ( ) ) [ ] , , . * a b t default count currentDatabase 1 'x' FORMAT JSONEachRow CSV TabSeparated SETTINGS LIMIT
		SHOW TABLES DESCRIBE WITH AS JOIN ON FINAL PREWHERE uniq toDateTime now {"a":1} {"b":null}`))
	begins := rapid.SampledFrom(strings.Split("SELECT|CREATE TABLE x (|INSERT INTO t|INSERT INTO t VALUES|INSERT INTO t (|INSERT INTO t FORMAT JSONEachRow|ALTER TABLE t|DROP|EXISTS|DESCRIBE|", "|"))
	rapid.Check(t, func(r *rapid.T) {
		query := begins.Draw(r, "begin") + " " + strings.Join(rapid.SliceOfN(words, 0, 8).Draw(r, "words"), " ")
		status, got := ask("POST", "/", query)
		if status != 200 && !strings.HasPrefix(got, "Code: ") {
			r.Fatalf("%s: %d %s", query, status, got)
		}
	})
}

// An INSERT that fails in its second row leaves nothing of the first.
func TestAnInsertIsAllOrNothing(t *testing.T) {
	ask := startTest(t)
	_, _ = ask("POST", "/", "CREATE TABLE t (a UInt8) ENGINE = Memory")
	status, got := ask("POST", "/", "INSERT INTO t FORMAT JSONEachRow\n{\"a\":1}\n{\"a\":-1}")
	assert.Equal(t, 500, status)
	assert.Contains(t, got, "(row 2)")
	_, got = ask("POST", "/", "SELECT count() FROM t")
	assert.Equal(t, "0\n", got)
}
