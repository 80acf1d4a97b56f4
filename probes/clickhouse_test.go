package probes

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// clickHouseConfig has a user app with a password beside the default one.
const clickHouseConfig = `<yandex><logger><level>error</level><console>1</console></logger>
<listen_host>127.0.0.1</listen_host><http_port>%[2]s</http_port><path>%[1]s/data/</path><tmp_path>%[1]s/tmp/</tmp_path>
<mark_cache_size>67108864</mark_cache_size><users_config>%[1]s/config.xml</users_config>
<users><app><password>%[3]s</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></app>
<default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<profiles><default/></profiles><quotas><default/></quotas></yandex>`

// startClickHouse runs a real ClickHouse and returns its address.
func startClickHouse(t *testing.T) string {
	t.Helper()
	server, err := exec.LookPath("clickhouse-server")
	requireServer(t, "ClickHouse", err == nil)
	dir := t.TempDir()
	address := closedPort(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	config := filepath.Join(dir, "config.xml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, clickHouseConfig, dir, port, secret), 0o600))
	startServer(t, exec.Command(server, "--config-file", config), Spec{ClickHouse: &ClickHouse{URL: "http://" + address, Query: "SELECT 1"}})
	return address
}

func TestClickHouse(t *testing.T) {
	address := startClickHouse(t)
	house := func(query string, want any) ClickHouse {
		return ClickHouse{URL: "http://" + address, User: "app", Password: secret, Query: query, Expect: want}
	}
	for _, c := range []struct {
		query, body string
		want        any
	}{
		{"SELECT 1", "1", nil},
		{"SELECT 1", "1", 1},
		{"SELECT 1.5, 'x'", "1.5", 1.50},
		{`SELECT 'it\'s a\ttab\\'`, "it's a\ttab\\", "it's a\ttab\\"},
		{"SELECT NULL", "null", "null"},
		{"SELECT number FROM system.numbers LIMIT 7, 2", "7", 7},
		{"CREATE TABLE events (name String) ENGINE = Memory", "", nil},
		{"INSERT INTO events VALUES ('turn')", "", nil},
		{"SELECT name FROM events", "turn", "turn"},
	} {
		h := house(c.query, c.want)
		got, err := ask(t, Spec{ClickHouse: &h}, Env{})
		require.NoError(t, err, c.query)
		assert.Equal(t, c.body, got.Body)
	}
	nobody := house("", nil)
	nobody.User, nobody.Password = "", ""
	for name, h := range map[string]ClickHouse{"a user": house("", nil), "nobody": nobody} {
		_, err := ask(t, Spec{ClickHouse: &h}, Env{})
		require.NoError(t, err, "the round trip of %s", name)
	}

	database, user := house("SELECT 1", nil), house("", nil)
	database.Database, user.Password = "stats", "wrong"+secret
	for name, c := range map[string]struct {
		house ClickHouse
		want  string
	}{
		"other value":     {house("SELECT 2", 1), fmt.Sprintf(`clickhouse "SELECT 2" on %s: expected 1, got 2`, address)},
		"no row":          {house("SELECT 1 WHERE 0", 1), "expected 1, got no row"},
		"empty text":      {house("SELECT ''", "x"), "expected x, got an empty text"},
		"no table":        {house("SELECT * FROM nothing", nil), "expected an answer, got Code: 60, Table default.nothing doesn't exist."},
		"syntax":          {house("SELEC 1", nil), "expected an answer, got Code: 62, Syntax error"},
		"late error":      {house("SELECT intDiv(1, 300000 - number) FROM system.numbers LIMIT 400000", nil), "got Code: 153, "},
		"no database":     {database, "got Code: 81, Database stats doesn't exist"},
		"wrong password":  {user, `CREATE TABLE chaos_probe_`},
		"huge answer":     {house("SELECT number FROM system.numbers LIMIT 500000", nil), "got an answer of more than 1 MiB"},
		"endless rows":    {house("SELECT number FROM system.numbers", nil), "got no answer within 3s"},
		"echoes password": {house("SELECT '"+secret+"'", "x"), "expected x, got xxxxx"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Spec{ClickHouse: &c.house}
			if strings.Contains(c.want, "within 3s") {
				s.Timeout = timeline.Duration(3 * time.Second)
			}
			_, err := ask(t, s, Env{})
			require.ErrorContains(t, err, c.want)
		})
	}

	// Nothing goes on: what was cut off is killed.
	running := house("SELECT count() FROM system.processes WHERE query LIKE '%numbers'", 0)
	p, err := New(Spec{ClickHouse: &running}, Env{})
	require.NoError(t, err)
	_, err = Poll(t.Context(), p, Timing{Within: 20 * time.Second, Interval: 50 * time.Millisecond}, nil)
	require.NoError(t, err)

	// No round trip leaves a table behind.
	left := house("SELECT count() FROM system.tables WHERE name LIKE 'chaos_probe_%'", 0)
	_, err = ask(t, Spec{ClickHouse: &left}, Env{})
	require.NoError(t, err)
}

// A round trip that is cut off after its table was made drops it all the same.
func TestClickHouseCleansUpAfterACut(t *testing.T) {
	dropped := make(chan string, 1)
	address := serveHTTP(t, func(w http.ResponseWriter, r *http.Request, statement string) {
		switch verb, rest, _ := strings.Cut(statement, " "); verb {
		case "CREATE":
		case "KILL":
		case "DROP":
			dropped <- rest
		default:
			<-r.Context().Done() // until the probe goes
		}
	})
	_, err := ask(t, Spec{ClickHouse: &ClickHouse{URL: address}, Timeout: timeline.Duration(300 * time.Millisecond)}, Env{})
	require.ErrorContains(t, err, "expected a row taken, got no answer within 300ms")
	assert.Regexp(t, "^TABLE IF EXISTS chaos_probe_[a-z0-9]+$", <-dropped)
}

func TestClickHouseIsNotEverythingThatAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, statement string)
		want   string
	}{
		"another server": {func(w http.ResponseWriter, _ string) { _, _ = w.Write([]byte("<html>welcome</html>")) },
			"got an answer that is not ClickHouse's: <html>welcome</html>"},
		"another status": {func(w http.ResponseWriter, _ string) { http.Error(w, "no route", http.StatusNotFound) }, "got status 404: no route"},
		"lost rows":      {func(http.ResponseWriter, string) {}, "expected what was written, got no row"},
		"other rows": {func(w http.ResponseWriter, statement string) {
			if strings.HasPrefix(statement, "SELECT") {
				_, _ = w.Write([]byte("something else\n"))
			}
		}, "expected what was written, got something else"},
		"refused drop": {func(w http.ResponseWriter, statement string) {
			if strings.HasPrefix(statement, "CREATE") {
				w.Header().Set("X-ClickHouse-Exception-Code", "164")
				_, _ = w.Write([]byte("Code: 164. DB::Exception: readonly: Cannot execute query in readonly mode. (READONLY)\n"))
			}
		}, "expected a table, got Code: 164. DB::Exception: readonly"},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request, statement string) { c.answer(w, statement) })
			_, err := ask(t, Spec{ClickHouse: &ClickHouse{URL: address}}, Env{})
			require.ErrorContains(t, err, c.want)
		})
	}
}
