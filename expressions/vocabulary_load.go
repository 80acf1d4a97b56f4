package expressions

// retryFields tell how attempts on a dependency were repeated: of the longest series of attempts that failed under a fault.
func retryFields() []Field {
	const absent = "no attempt that failed under a fault was repeated"
	return []Field{
		{Name: "retry_attempts", Type: Int, Doc: "Attempts of the longest series that failed.", Example: `dependency("redis").retry_attempts <= 10`, Absent: absent},
		{Name: "retry_lasted_ms", Type: Double, Unit: "ms", Doc: "From the first to the last of them.", Example: `dependency("redis").retry_lasted_ms < 30000`,
			Absent: absent},
		{Name: "retry_pauses_ms", Type: Times, Unit: "ms", Doc: "From the end of one to the beginning of the next; at most the first 50.",
			Example: `dependency("redis").retry_pauses_ms.all(p, p >= 50)`, Absent: absent},
		{Name: "retry_growth", Type: String, Doc: "How the pauses grow: constant, linear, exponential, growing, unclear or too_few.",
			Example: `dependency("redis").retry_growth in ["exponential", "too_few"]`, Absent: absent},
		{Name: "retry_jitter", Type: String, Doc: "Whether chance is in them: yes, no or unclear.", Example: `dependency("redis").retry_jitter != "no"`, Absent: absent},
		{Name: "retry_amplification", Type: Double, Doc: "Attempts for each one that was meant.", Example: `dependency("redis").retry_amplification < 3`,
			Absent: absent},
		{Name: "retry_end", Type: String, Doc: "How the series ended: succeeded, gave_up or cut_short.", Example: `dependency("redis").retry_end == "gave_up"`,
			Absent: absent},
	}
}

// loadFields are what a load, or a step of it, came to.
func loadFields(example, absent string) []Field {
	of := func(name string, t Type, unit, doc, condition string) Field {
		absent := absent
		if unit == "ms" {
			absent += ", or nothing was answered as it should be, or chaos itself was late"
		}
		return Field{Name: name, Type: t, Unit: unit, Doc: doc, Example: example + "." + name + condition, Absent: absent}
	}
	return []Field{
		of("requests", Int, "", "Requests after the claim.", " > 100"),
		of("ok", Int, "", "Those that were answered as they should be.", " > 100"),
		of("errors", Int, "", "Those that were not.", " == 0"),
		of("errors_by_kind", Counts, "", "Errors by their kind.", ".all(kind, kind == 'hang')"),
		of("p50_ms", Double, "ms", "Half of them were answered within this.", " < 50"),
		of("p95_ms", Double, "ms", "95 % of them were.", " < 300"),
		of("p99_ms", Double, "ms", "99 % of them were.", " < 800"),
		of("max_ms", Double, "ms", "All of them were.", " < 2000"),
	}
}

const noLoad = "the file has no `traffic`, or it did not begin"

func trafficKind() Kind {
	of := func(name string, t Type, unit, doc, condition string) Field {
		return Field{Name: name, Type: t, Unit: unit, Doc: doc, Example: "traffic." + name + condition, Absent: noLoad}
	}
	return Kind{
		Name: "traffic", Variable: "traffic", Doc: "What the load under `traffic` came to.",
		Fields: append(loadFields("traffic", noLoad),
			of("result", String, "", "How it ended: complete, exited or interrupted.", " == 'complete'"),
			of("early", Counts, "", "Requests before the claim, by what became of them.", ".all(what, what != 'hang')"),
			of("lag_p99_ms", Double, "ms", "How late chaos itself sent them.", " < 5")),
	}
}

func trafficStepKind() Kind {
	return Kind{
		Name: "traffic_step", List: "traffic_steps", Function: "traffic_step", Doc: "What one step of the load came to, where it has several.",
		Fields: append([]Field{{Name: "name", Type: String, Doc: "Its name.", Example: "traffic_steps.exists(s, s.name == 'chat')"}},
			loadFields(`traffic_step("chat")`, "the load has no such step, or it did not begin")...),
	}
}
