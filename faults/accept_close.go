package faults

// acceptClose takes connections and drops them.
func acceptClose() Kind {
	return Kind{
		Name: "accept_close",
		Doc: "A load balancer or sidecar without a healthy backend: the port answers, and there is nobody behind it. A check that only connects is " +
			"satisfied by it. Connections that are already open go on.",
		Client:  "connect succeeds; the first read gives the end of the stream (EOF), later writes EPIPE or ECONNRESET.",
		Example: "{on: auth, during: dependencies, fault: accept_close}",
		Behave:  func(Spec) Behaviour { return Behaviour{Accept: CloseIt} },
	}
}
