package faults

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestReadSQL(t *testing.T) {
	for sql, want := range map[string]pgSQL{
		"":                                       {},
		" ; -- ping":                             {},
		"select 1":                               {command: "SELECT"},
		"SELECT * FROM Orders o":                 {command: "SELECT", relation: "orders", position: 15},
		"select 'from x', \"a from b\" from t":   {command: "SELECT", relation: "t", position: 34},
		"select $$ from a $$ from s.t":           {command: "SELECT", relation: "s.t", position: 26, schema: true},
		`select E'\' from a' from "No pe"`:       {command: "SELECT", relation: "No pe", position: 26},
		"/* from a */ select x from b":           {command: "SELECT", relation: "b", position: 28},
		"select extract(year from y) from z":     {command: "SELECT", relation: "z", position: 34},
		"select a is distinct from b from c":     {command: "SELECT", relation: "c", position: 34},
		"select * from generate_series(1, 2)":    {command: "SELECT"},
		"select oid from pg_type":                {command: "SELECT"},
		"select 1 from pg_catalog.pg_class":      {command: "SELECT"},
		"select * from pg_class join t on 1=1":   {command: "SELECT", relation: "t", position: 29},
		"select * from t for update":             {command: "SELECT FOR UPDATE", writes: true, relation: "t", position: 15},
		"with x as (select 1) select * from x":   {command: "SELECT"},
		"with x as (delete from t) select 1":     {command: "DELETE", writes: true, relation: "t", position: 24},
		"insert into t(a) values (1)":            {command: "INSERT", writes: true, relation: "t", position: 13},
		"update only t set a = 1":                {command: "UPDATE", writes: true, relation: "t", position: 13},
		"delete from public.t":                   {command: "DELETE", writes: true, relation: "public.t", position: 13, schema: true},
		"create table if not exists t (a int)":   {command: "CREATE TABLE", writes: true},
		"create unique index i on t (a)":         {command: "CREATE INDEX", writes: true, relation: "t"},
		"alter table if exists only t add a int": {command: "ALTER TABLE", writes: true, relation: "t"},
		"drop table t":                           {command: "DROP TABLE", writes: true},
		"truncate t":                             {command: "TRUNCATE TABLE", writes: true, relation: "t"},
		"copy t (a) from stdin":                  {command: "COPY FROM", writes: true, relation: "t"},
		"copy t to stdout":                       {command: "COPY", relation: "t"},
		"begin":                                  {command: "BEGIN"},
		"COMMIT;":                                {command: "COMMIT"},
		"select \u00e4, 1 from t":                {command: "SELECT", relation: "t", position: 18},
	} {
		assert.Equal(t, want, readSQL(sql), sql)
	}
}

// FuzzReadSQL: any text is read, and what is blanked keeps every byte's place.
func FuzzReadSQL(f *testing.F) {
	for _, sql := range []string{"select * from t", "/* ", "$a$ $b$", `E'\`, `"`, "with a as (", "copy \x00 from", "'''"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		assert.Len(t, maskSQL(sql), len(sql))
		s := readSQL(sql)
		assert.LessOrEqual(t, len(s.relation), len(sql))
		assert.LessOrEqual(t, int(s.position), len(sql))
	})
}
