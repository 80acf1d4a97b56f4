package faults

import "syscall"

// cut is the whole dependency gone at once.
func cut() Kind {
	return Kind{
		Name:    "cut",
		Doc:     "The dependency's process is killed: what was connected breaks, and nobody listens any more. refuse with the open connections reset.",
		Client:  "Open connections, also idle ones: ECONNRESET. New ones: ECONNREFUSED.",
		Example: "{on: redis, during: services, for: 3s, fault: cut}",
		Behave:  func(Spec) Behaviour { return cutting() },
	}
}

// cutting resets what is open and refuses what is new. A connection that slipped into the listener's queue before the port closed was
// accepted by the kernel and can only be reset.
func cutting() Behaviour {
	return Behaviour{Refuse: syscall.ECONNREFUSED, Accept: ResetIt, Open: ResetOpen}
}
