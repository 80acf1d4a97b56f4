package faults

import "syscall"

// refuse turns new connections away.
func refuse() Kind {
	return Kind{
		Name: "refuse",
		Doc: "The dependency is not started yet, crashed, or is being replaced: nothing listens on its port. Connections that are already open go on; " +
			"see cut for the ones that break too. ETIMEDOUT, EHOSTUNREACH and ENETUNREACH play a firewall, a missing host and a missing route; a " +
			"closed port cannot answer with them, so they need the connect interceptor (Linux; `chaos doctor` says whether it can run).",
		Client:  "connect fails at once with ECONNREFUSED, or with the named errno. No byte is exchanged.",
		Example: "{on: postgres, during: database, fault: refuse}",
		Params: []Param{{Name: "errno", Type: TypeEnum, Default: "ECONNREFUSED",
			Enum: []string{"ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"},
			Doc:  "What connect fails with. All but ECONNREFUSED need the connect interceptor."}},
		Behave: func(s Spec) Behaviour { return Behaviour{Refuse: errno(s.Text("errno"))} },
	}
}

// errno returns the number of a name that refuse knows.
func errno(name string) syscall.Errno {
	switch name {
	case "ETIMEDOUT":
		return syscall.ETIMEDOUT
	case "EHOSTUNREACH":
		return syscall.EHOSTUNREACH
	case "ENETUNREACH":
		return syscall.ENETUNREACH
	}
	return syscall.ECONNREFUSED
}
