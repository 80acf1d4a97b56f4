package e2e

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/internal/servers"
)

// told are the codes, and what every driver must show of them: on a new session, and for a statement or an open session.
var told = map[string]string{
	"57P03": "the database system is starting up", "53300": "sorry, too many clients already", "28P01": `password authentication failed for user "app"`,
	"28000": `no pg_hba.conf entry for host "127.0.0.1", user "app", database "app", no encryption`, "3D000": `database "app" does not exist`,
	"57P01": "the database system is shutting down", "42P01": `relation "orders" does not exist`, "40001": "could not serialize access due to concurrent update",
}

// shop is a server where the statement of these tests would work.
func shop(t *testing.T) *servers.Server {
	t.Helper()
	server := startPostgres(t)
	s := session(t, server.Addr, "app", "app")
	s.hear(1)
	require.Contains(t, s.ask("create table orders (id int)"), "CREATE TABLE")
	return server
}

func TestPostgresErrorWithLibPQ(t *testing.T) {
	server := shop(t)
	for code, want := range told {
		p := before(t, server.Addr, "postgres_error", code)
		p.Arm("f1")
		db, err := sql.Open("postgres", "postgres://app:secret@"+p.Addr().String()+"/app?sslmode=disable")
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), "select * from orders where id = $1", 1)
		var e *pq.Error
		if assert.ErrorAs(t, err, &e, code) {
			assert.Contains(t, e.Message, want)
		}
		t.Logf("lib/pq %s: %v", code, err)
		p.Lift("f1")
		assert.NoError(t, db.PingContext(t.Context()), "after the lift")
		require.NoError(t, db.Close())
	}
}

func TestPostgresErrorWithPsql(t *testing.T) {
	server := shop(t)
	psql, err := exec.LookPath("psql")
	if err != nil {
		missing(t, "psql is not installed")
	}
	for code, want := range told {
		p := before(t, server.Addr, "postgres_error", code)
		p.Arm("f1")
		out, err := exec.CommandContext(t.Context(), psql, "-X", "-w", "-c", "select * from orders", // #nosec G204 -- the address of a proxy of ours
			"postgres://app:secret@"+p.Addr().String()+"/app").CombinedOutput()
		assert.Error(t, err)
		assert.Contains(t, string(out), want)
		t.Logf("psql %s: %s", code, strings.TrimSpace(string(out)))
	}
}

const nodeScript = `
const {Client} = require('pg');
(async () => {
  const c = new Client({connectionString: process.argv[2]});
  c.on('error', e => console.log('event', e.code, e.message));
  try {
    await c.connect();
    await c.query('select * from orders where id = $1', [1]);
    console.log('no error');
  } catch (e) { console.log(e.code, e.severity, e.message); }
  await c.end().catch(() => {});
})();
`

func TestPostgresErrorWithNode(t *testing.T) {
	server := shop(t)
	dir := t.TempDir()
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, name+" is not installed")
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "pg@8.23.1")
	if out, err := install.CombinedOutput(); err != nil {
		missing(t, "npm can't install pg: "+string(out))
	}
	script := filepath.Join(dir, "ask.js")
	require.NoError(t, os.WriteFile(script, []byte(nodeScript), 0o600))
	for code, want := range told {
		p := before(t, server.Addr, "postgres_error", code)
		p.Arm("f1")
		out, err := exec.CommandContext(t.Context(), "node", script, "postgres://app:secret@"+p.Addr().String()+"/app").CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Contains(t, string(out), want)
		t.Logf("node pg %s: %s", code, strings.TrimSpace(string(out)))
	}
}
