package faults

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/assert"
)

// notes lets messages of a client pass.
func (d *pgDoomed) notes(plan pgPlan, messages ...pgproto3.Message) {
	for _, m := range messages {
		b := encodePG(m)
		d.note(pgHead{kind: b[0], data: b[5:], size: len(b)}, plan)
	}
}

// fails says whether a statement fails when it is bound, with values or without, and executed.
func (d *pgDoomed) fails(plan pgPlan, statement string, values ...string) bool {
	bind := &pgproto3.Bind{PreparedStatement: statement, ResultFormatCodes: []int16{0}}
	for _, v := range values {
		bind.ParameterFormatCodes = append(bind.ParameterFormatCodes, 0)
		bind.Parameters = append(bind.Parameters, []byte(v))
	}
	failed := false
	for _, m := range []pgproto3.Message{bind, &pgproto3.Execute{}} {
		b := encodePG(m)
		h := pgHead{kind: b[0], data: b[5:], size: len(b)}
		d.note(h, plan)
		k, _ := d.strike(h, plan)
		failed = failed || k != nil
	}
	return failed
}

func pgPlanOf(code, match string) pgPlan {
	p := pgPlan{code: code, at: "statement", error: pgErrorOf(code, "")}
	if match != "" {
		p.match = regexp.MustCompile(match)
	}
	return p
}

// A statement that nobody saw fails if the error makes sense for all, nothing must match, and it cannot be transaction control.
func TestPGUnseenStatements(t *testing.T) {
	for _, c := range []struct {
		code, match string
		value, none bool
	}{{"40001", "", true, false}, {"57014", "", true, false}, {"42703", "", true, false}, {"40001", ".", false, false}, {"42P01", "", false, false}, {"25006", "", false, false}} {
		plan := pgPlanOf(c.code, c.match)
		var d pgDoomed
		assert.Equal(t, c.value, d.fails(plan, "s", "1"), "%v", c)
		assert.Equal(t, c.none, d.fails(plan, "s"), "%v", c)
		d.notes(plan, &pgproto3.Parse{Name: "s", Query: "select 1"}, &pgproto3.Parse{Name: "b", Query: "begin"}, &pgproto3.Parse{Name: "set", Query: "set x = $1"})
		seen := c.code != "42P01" && c.code != "25006"
		assert.Equal(t, seen, d.fails(plan, "s"), "%v, seen", c)
		assert.Equal(t, c.match == ".", d.fails(plan, "b"), "%v, control", c)
		assert.Equal(t, c.match == ".", d.fails(plan, "set", "1"), "%v, a setting", c)
	}
}

// A statement that was given back is not known any more.
func TestPGForgetsStatements(t *testing.T) {
	plan := pgPlanOf("40001", "orders")
	for _, m := range []pgproto3.Message{&pgproto3.Close{ObjectType: 'S', Name: "s"}, query("deallocate s"), query("DEALLOCATE PREPARE \"s\" ;"), query("deallocate all;"),
		query("discard all"), &pgproto3.Parse{Name: "s", Query: "select 1"}} {
		var d pgDoomed
		d.notes(plan, &pgproto3.Parse{Name: "s", Query: "select * from orders"}, &pgproto3.Parse{Query: "select * from orders"})
		assert.True(t, d.fails(plan, "s"))
		d.notes(plan, query("deallocate other"), query("select 1"), &pgproto3.Close{ObjectType: 'P', Name: "s"})
		assert.True(t, d.fails(plan, "s"))
		d.notes(plan, m)
		assert.False(t, d.fails(plan, "s"), "%v", m)
		assert.True(t, d.fails(plan, ""), "%v: the unnamed one stays", m)
	}
}

// However many statements a session has, little is remembered, and what is known stays so.
func TestPGRemembersWithinBounds(t *testing.T) {
	plan := pgPlanOf("40001", "orders")
	var d pgDoomed
	for i := range 3 * pgMostDoomed {
		name := fmt.Sprint("s", i)
		d.notes(plan, &pgproto3.Parse{Name: name, Query: "select * from orders"},
			&pgproto3.Bind{DestinationPortal: name, PreparedStatement: name}, &pgproto3.Parse{Name: name + strings.Repeat("x", pgLongestName), Query: "select * from orders"})
	}
	d.notes(plan, &pgproto3.Parse{Query: "select * from orders"})
	assert.True(t, d.fails(plan, ""), "there is always room for the unnamed one")
	assert.LessOrEqual(t, len(d.statements), pgMostDoomed+1)
	assert.LessOrEqual(t, len(d.portals), pgMostDoomed)
	assert.True(t, d.fails(plan, "s0"))
	assert.False(t, d.fails(plan, fmt.Sprint("s", 3*pgMostDoomed-1)), "beyond")
}

// What does not look like a Bind brings no values.
func TestPGHasValues(t *testing.T) {
	for data, want := range map[string]bool{"": false, "\x00": false, "\x00\x00": false, "\x00\x00\x00\x00": false, "\x00\x00\x00\x01": true, "\x00\x01\x00\x01\x00\x02": true,
		"\x00\x01\x00\x01": false, "\xff\xff\x00": false} {
		assert.Equal(t, want, pgHasValues([]byte(data)), "%q", data)
	}
}
