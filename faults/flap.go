package faults

import (
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// flap goes up and down.
func flap() Kind {
	least, most := timeline.Duration(time.Millisecond), timeline.Duration(time.Hour)
	return Kind{
		Name: "flap",
		Doc: "A dependency in a crash loop, or an unstable link: cut for `down`, in order for `up`, and so on, beginning with down. Each time it goes " +
			"down open connections are reset.",
		Client:  "By turns: ECONNRESET and ECONNREFUSED, then normal service.",
		Example: "{on: redis, during: cache, fault: {flap: {up: 1s, down: 500ms}}}",
		Params: []Param{
			{Name: "up", Type: TypeDuration, Default: timeline.Duration(time.Second), Min: least, Max: most, Doc: "How long it works."},
			{Name: "down", Type: TypeDuration, Default: timeline.Duration(time.Second), Min: least, Max: most, Doc: "How long it is cut."},
		},
		Behave: func(s Spec) Behaviour {
			b := cutting()
			b.Cycle = Cycle{Up: s.Duration("up"), Down: s.Duration("down")}
			return b
		},
	}
}
