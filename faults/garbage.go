package faults

import (
	"math/rand/v2"
)

// garbage answers nonsense.
func garbage() Kind {
	return Kind{
		Name: "garbage",
		Doc: "Something else listens on the port: another protocol, an old version, a half-written answer. Every byte is replaced by one drawn from the trial's " +
			"seed, the lengths and the times stay.",
		Client:  "Nonsense of the right length where an answer was expected: protocol errors.",
		Example: "{on: redis, during: cache, fault: garbage}",
		Params:  []Param{directionParam()},
		Behave: func(s Spec) Behaviour {
			direction := s.direction()
			return Behaviour{Filter: func(d Direction, random *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				return &nonsense{random}
			}}
		},
	}
}

// nonsense replaces every byte.
type nonsense struct{ random *rand.Rand }

func (*nonsense) Buffer() int { return 0 }

func (f *nonsense) Run(link Link) {
	for {
		c, ok := link.Next()
		if !ok {
			return
		}
		for i := range c.Data {
			c.Data[i] = byte(f.random.Uint32()) // #nosec G115 -- eight random bits; the link's own copy
		}
		link.Pass(c)
	}
}
