package contracts

// invariants checks what must hold in every trial, whatever is expected of it. Each finding stands on its own evidence, so a
// violation counts also when no fault ever bit.
func (t *trace) invariants() []finding {
	v := t.spec.Invariants
	var out []finding
	add := func(wanted bool, check func() finding) {
		if wanted {
			out = append(out, check())
		}
	}
	add(v.NoFalseReady, t.noFalseReady)
	add(v.PhaseOrder && len(t.spec.Phases) > 0, t.phaseOrder)
	add(v.PhaseBudgets && t.hasPhaseBudgets(), t.phaseBudgets)
	add(v.StartupBudget && t.spec.Budget > 0, t.startupBudget)
	add(v.StopsOnSignal != nil, t.stopsOnSignal)
	add(len(v.LogNever) > 0, t.logNever)
	add(v.Retry != nil, t.retry)
	add(v.NoLeakedConnections != nil, t.noLeakedConnections)
	add(len(v.Expr) > 0, t.exprs)
	add(t.spec.Traffic != nil, t.traffic)
	add(t.spec.Traffic != nil && t.spec.Traffic.FromStart, t.earlyTraffic)
	add(v.Survives, t.survivesInvariant)
	add(v.NoLeakedFDs != nil, t.noLeakedFDs)
	add(v.Memory != nil, t.memory)
	add(v.Threads != nil, t.threads)
	add(v.NoOrphans, t.noOrphans)
	add(v.NoSecretsInLogs, t.noSecretsInLogs)
	add(v.LateReady != nil, t.lateReady)
	return out
}
