package faults

import "math/rand/v2"

// blackhole is silence.
func blackhole() Kind {
	return Kind{
		Name: "blackhole",
		Doc: "Nothing is ever answered, neither on new connections nor on open ones. `ending` says what the lift does to them, because services behave " +
			"differently: silent, the host died and another took its address: old connections stay dead for ever, new ones work. close, a balancer notices: " +
			"they are closed. resume, the process was paused: what was sent meanwhile is answered late and in order. Only with resume does what " +
			"was sent reach the dependency.",
		Client:  "connect succeeds, then silence: no data, no end, no error. Only the client's own time limits help.",
		Example: "{on: redis, during: cache, for: 5s, fault: {blackhole: resume}}",
		Params: []Param{{Name: "ending", Type: TypeEnum, Default: "silent", Enum: []string{"silent", "close", "resume"},
			Doc: "What happens at the lift to the connections that met it."}},
		Behave: func(s Spec) Behaviour {
			swallowing := func(Direction, *rand.Rand) Filter { return swallow{} }
			switch s.Text("ending") {
			case "close":
				return Behaviour{Accept: LeaveSilent, Lift: CloseThem, Filter: swallowing}
			case "resume":
				return Behaviour{Accept: LetIn, Lift: GoOn, Filter: func(Direction, *rand.Rand) Filter { return hold{} }}
			}
			return Behaviour{Accept: LeaveSilent, Lift: StayDead, Filter: swallowing}
		},
	}
}

// swallow drops everything, also the end of the stream.
type swallow struct{}

func (swallow) Buffer() int   { return 0 }
func (swallow) Run(link Link) { drain(link) }

// hold keeps everything and passes it on when it is lifted.
type hold struct{}

// held is how many bytes hold takes before it leaves the rest to the sender: a paused process too has finite socket buffers,
// and a sender that never stops must not fill the memory of the tool.
const held = 1 << 20

func (hold) Buffer() int { return 0 }

func (hold) Run(link Link) {
	var kept []Chunk
	for size := 0; size < held; {
		c, ok := link.Next()
		if !ok {
			release(link, kept)
			return
		}
		kept = append(kept, c)
		size += len(c.Data)
	}
	awaitLift(link)
	release(link, kept)
}

// release passes chunks on in order.
func release(link Link, kept []Chunk) {
	for _, c := range kept {
		link.Pass(c)
	}
}
