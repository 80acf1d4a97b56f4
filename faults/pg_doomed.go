package faults

// pgDoomed remembers which prepared statements and portals are to fail: by the time they are used, their SQL is long gone.
type pgDoomed struct{ statements, portals map[string]*pgStrike }

// pgMostDoomed bounds what is remembered of a session; statements beyond pass.
const pgMostDoomed = 10_000

// note follows a message of the client.
func (d *pgDoomed) note(h pgHead, plan pgPlan) {
	if plan.at != "statement" {
		return
	}
	name, rest, ok := pgText(h.data)
	switch {
	case h.kind == 'P' && ok:
		sql, _, _ := pgText(rest)
		d.statements = remember(d.statements, name, plan.strikes(sql))
	case h.kind == 'B' && ok:
		statement, _, ok := pgText(rest)
		if !ok {
			statement = "" // a name of kilobytes: nobody's
		}
		d.portals = remember(d.portals, name, d.statements[statement])
	case h.kind == 'C' && ok && name != "":
		if name[0] == 'S' {
			delete(d.statements, name[1:])
		} else {
			delete(d.portals, name[1:])
		}
	}
}

// remember keeps or forgets what a name stands for.
func remember(in map[string]*pgStrike, name string, k *pgStrike) map[string]*pgStrike {
	if k == nil {
		delete(in, name)
		return in
	}
	if in == nil {
		in = map[string]*pgStrike{}
	}
	if _, known := in[name]; known || len(in) < pgMostDoomed {
		in[name] = k
	}
	return in
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
		source, _, _ := pgText(rest)
		k, statement = d.statements[source], nobodys
	case h.kind == 'E' && !plan.error.analysis:
		k, statement = d.portals[name], nobodys
	}
	if k == nil || k.commit {
		return nil, "" // a COMMIT that fails must roll back, which takes two messages here
	}
	one := *k
	return &one, statement
}
