package faults

import (
	"encoding/binary"
	"strings"
)

// pgDoomed remembers which prepared statements and portals are to fail: by the time they are used, their SQL is long gone.
type pgDoomed struct {
	statements map[string]*pgStrike // nil: it was seen, and passes
	portals    map[string]*pgStrike
}

// pgMostDoomed bounds what is remembered of a session, and pgLongestName of each: a server cuts names at 63 bytes. What is beyond was not seen.
const (
	pgMostDoomed  = 4000
	pgLongestName = 255
)

// note follows a message of the client.
func (d *pgDoomed) note(h pgHead, plan pgPlan) {
	if plan.at != "statement" {
		return
	}
	name, rest, ok := pgText(h.data)
	switch {
	case h.kind == 'Q':
		d.deallocate(name)
	case h.kind == 'P' && ok:
		sql, _, _ := pgText(rest)
		d.statements = remember(d.statements, name, plan.strikes(sql))
	case h.kind == 'B' && ok:
		if len(d.portals) >= pgMostDoomed {
			clear(d.portals) // who leaves so many open has forgotten most of them: they end with their transaction
		}
		if k := d.bound(rest, plan); k != nil {
			d.portals = remember(d.portals, name, k)
		} else {
			delete(d.portals, name)
		}
	case h.kind == 'C' && ok && name != "":
		if name[0] == 'S' {
			delete(d.statements, name[1:])
		} else {
			delete(d.portals, name[1:])
		}
	}
}

// remember keeps what a name stands for.
func remember(in map[string]*pgStrike, name string, k *pgStrike) map[string]*pgStrike {
	if in == nil {
		in = map[string]*pgStrike{}
	}
	if _, known := in[name]; known || name == "" || len(in) < pgMostDoomed && len(name) <= pgLongestName {
		in[name] = k
	}
	return in
}

// deallocate forgets statements that a query gives back.
func (d *pgDoomed) deallocate(sql string) {
	const longest = 1 << 10
	if len(sql) > longest {
		return
	}
	words := strings.Fields(strings.TrimRight(strings.TrimSpace(sql), "; "))
	if len(words) > 2 && strings.EqualFold(words[1], "PREPARE") {
		words = append(words[:1], words[2:]...)
	}
	switch {
	case len(words) != 2:
	case strings.EqualFold(words[1], "ALL") && (strings.EqualFold(words[0], "DEALLOCATE") || strings.EqualFold(words[0], "DISCARD")):
		unnamed, known := d.statements[""]
		if clear(d.statements); known {
			d.statements[""] = unnamed
		}
	case strings.EqualFold(words[0], "DEALLOCATE"):
		delete(d.statements, pgFold(words[1]))
	}
}

// bound says how the statement fails that a Bind is about; data is what follows the portal's name.
func (d *pgDoomed) bound(data []byte, plan pgPlan) *pgStrike {
	name, rest, ok := pgText(data)
	if !ok {
		return nil // a name of kilobytes: nobody's
	}
	if k, known := d.statements[name]; known {
		return k
	}
	if plan.match == nil && plan.error.needs == pgAny && pgHasValues(rest) {
		return &pgStrike{error: plan.error}
	}
	return nil
}

// pgHasValues says whether a Bind brings values, behind the names. One without could be of transaction control or a setting.
func pgHasValues(data []byte) bool {
	if len(data) < 2 {
		return false
	}
	formats := 2 + 2*int(binary.BigEndian.Uint16(data))
	return len(data) >= formats+2 && binary.BigEndian.Uint16(data[formats:]) > 0
}

// strike says how a message of the client fails; nil: it does not. statement is the name under which a Parse must fail in its place.
func (d *pgDoomed) strike(h pgHead, plan pgPlan) (k *pgStrike, statement string) {
	name, rest, ok := pgText(h.data)
	const nobodys = "chaos_postgres_error" // the unnamed statement stays what it was
	switch {
	case h.kind == 'Q':
		k = plan.strikes(name)
		if k == nil {
			return nil, ""
		}
		return k, ""
	case !ok:
		return nil, ""
	case h.kind == 'P' && plan.error.analysis:
		k, statement = d.statements[name], name
	case h.kind == 'B' && plan.error.analysis:
		k, statement = d.bound(rest, plan), nobodys
	case h.kind == 'E' && !plan.error.analysis:
		k, statement = d.portals[name], nobodys
	}
	if k == nil || k.commit {
		return nil, "" // a COMMIT that fails must roll back, which takes two messages here
	}
	one := *k
	return &one, statement
}
