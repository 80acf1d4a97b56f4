package litepg

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever is sent, the answer is a result or an error with a SQLSTATE, and the
// session goes on.
func TestAnyTextIsAnswered(t *testing.T) {
	addr, _ := startTest(t)
	conns := []*pgx.Conn{connect(t, addr, pgx.QueryExecModeSimpleProtocol), connect(t, addr, pgx.QueryExecModeDescribeExec)}
	_, err := conns[0].Exec(t.Context(), "CREATE TABLE t (a INT, b TEXT)")
	require.NoError(t, err)
	words := rapid.SampledFrom(strings.Fields(`SELECT FROM WHERE VALUES INSERT INTO UPDATE SET DELETE RETURNING WITH AS CASE WHEN THEN ELSE END
		CREATE TABLE INDEX ON ALTER ADD COLUMN DROP IF NOT EXISTS TRUNCATE PRIMARY KEY DEFAULT UNIQUE CONSTRAINT REFERENCES GENERATED IDENTITY SERIAL
		INT TEXT VARCHAR a b t x public . , , ( ( ) ) * = + - || :: ->> [ ] ; 1 'x' NULL TRUE LIMIT ORDER BY GROUP FOR ANY ALL ARRAY CAST count max
		interval timestamp ILIKE IN BETWEEN AND OR IS DISTINCT UNION to_regclass ROLLBACK TO SAVEPOINT RELEASE BEGIN COMMIT SHOW USING VIEW TABLE TEMP`))
	begins := rapid.SampledFrom(strings.Split("SELECT|SELECT a ,|VALUES (|INSERT INTO t|INSERT INTO t (|UPDATE t SET|DELETE FROM t RETURNING|CREATE TABLE x (|ALTER TABLE t|CREATE INDEX|WITH|TRUNCATE|DROP|SAVEPOINT|ROLLBACK TO|SET|", "|"))
	rapid.Check(t, func(r *rapid.T) {
		query := begins.Draw(r, "begin") + " " + strings.Join(rapid.SliceOfN(words, 0, 8).Draw(r, "words"), " ")
		for _, conn := range conns {
			_, err := conn.Exec(t.Context(), query)
			if err != nil && (code(err) == "" || strings.Contains(err.Error(), "panic")) {
				r.Fatalf("%s: %v", query, err)
			}
			if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
				r.Fatalf("after %s: %v", query, err)
			}
		}
	})
}
