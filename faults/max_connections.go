package faults

import "syscall"

// maxConnections turns away connections beyond a number.
func maxConnections() Kind {
	return Kind{
		Name: "max_connections",
		Doc: "A dependency, or a balancer, that has no room: so many connections may be open at a time, the next one is turned away, and taken again when " +
			"another was closed. It finds pools that are larger than what they draw from, and connections that leak. Connections that are open when it comes on " +
			"stay, and count. PostgreSQL itself says it in its own words: postgres_error 53300.",
		Client:  "ECONNREFUSED for each connection beyond the number (without the connect interceptor: connect succeeds, then ECONNRESET); the others work.",
		Example: "{on: postgres, from: start, fault: {max_connections: 5}}",
		Params: []Param{{Name: "max", Type: TypeInt, Default: int64(1), Min: int64(1), Max: int64(1_000_000), Unit: "connections",
			Doc: "How many may be open at a time."}},
		Behave: func(s Spec) Behaviour {
			return Behaviour{Refuse: syscall.ECONNREFUSED, Cap: int(s.Int("max"))}
		},
	}
}
