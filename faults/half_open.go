package faults

import "math/rand/v2"

// halfOpen kills one direction.
func halfOpen() Kind {
	return Kind{
		Name: "half_open",
		Doc: "One direction of every connection is dead, and its sender is not told: a router that lost half a route, a firewall that forgot a state, a host " +
			"that restarted. With `downstream` the service's requests arrive and are acted on, and their answers are lost; with `upstream` nothing that the service " +
			"sends arrives. `ending` says what the lift does to the connections that met it: reset, the peer that knows nothing of them answers with RST; silent, they " +
			"stay dead; resume, the route is back and TCP has sent again what was lost: it arrives late.",
		Client:  "connect and write succeed; answers never come. At the lift, with reset, ECONNRESET.",
		Example: "{on: redis, during: cache, for: 5s, fault: {half_open: {direction: downstream, ending: reset}}}",
		Params: []Param{
			directionParam(),
			{Name: "ending", Type: TypeEnum, Default: "reset", Enum: []string{"reset", "silent", "resume"},
				Doc: "What happens at the lift to the connections that met it."},
		},
		Behave: func(s Spec) Behaviour {
			direction, ending := s.direction(), s.Text("ending")
			b := Behaviour{Lift: map[string]Lift{"reset": ResetThem, "silent": StayDead, "resume": GoOn}[ending]}
			b.Filter = func(d Direction, _ *rand.Rand) Filter {
				switch {
				case !direction.Covers(d):
					return nil
				case ending == "resume":
					return hold{}
				}
				return swallow{}
			}
			return b
		},
	}
}
