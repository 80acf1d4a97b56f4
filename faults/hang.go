package faults

// hang leaves connects without an answer.
func hang() Kind {
	return Kind{
		Name: "hang",
		Doc: "A firewall that drops, a host that is off, a wrong address: the SYN of a new connection is never answered, neither with yes nor with no. " +
			"Open connections go on. After the lift a client that still waits connects when its kernel asks again (about 1 s, 3 s, 7 s after its first try). " +
			"Without the connect interceptor a share or a number of connections can't be left unanswered; those are accepted and wait for the lift then.",
		Client:  "connect does not return: the client's own time limit strikes, or ETIMEDOUT after the kernel's (about two minutes).",
		Example: "{on: postgres, during: database, fault: hang}",
		Behave:  func(Spec) Behaviour { return Behaviour{Hang: true} },
	}
}
