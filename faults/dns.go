package faults

import (
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// Resolution is what the names of a dependency are answered. The zero value is the truth at once.
type Resolution struct {
	Answer NameAnswer
	Delay  time.Duration // how late the answer comes; the lift gives the truth to those that wait
}

// NameAnswer is an answer of DNS.
type NameAnswer int

// The answers to a query for a name.
const (
	Truth        NameAnswer = iota
	NXDomain                // the name does not exist
	NoData                  // the name exists and has no address: NOERROR and nothing
	ServFail                // the nameserver could not find out
	RefuseQuery             // the nameserver does not want to: REFUSED
	Silent                  // no answer
	WrongAddress            // an address where nobody listens
)

// nameAnswers are the words of a file, by NameAnswer.
var nameAnswers = [...]string{"truth", "nxdomain", "no_data", "servfail", "refused", "silent", "wrong_address"}

// String returns the word of a file.
func (a NameAnswer) String() string {
	if a < 0 || int(a) >= len(nameAnswers) {
		return "unknown"
	}
	return nameAnswers[a]
}

// slowAnswer is how late slow is by itself: late enough to be felt, and in time for a program that waits the usual 5 s.
const slowAnswer = 3 * time.Second

// dns makes the names of a dependency fail.
func dns() Kind {
	return Kind{
		Name: "dns",
		Doc: "The name of the dependency fails: the record is not there yet or was dropped (nxdomain), has no address (no_data), the nameserver is overloaded or " +
			"cannot reach its own (servfail), does not serve the zone (refused) or is gone (silent), is slow, or still gives the address of a host " +
			"that is no more (wrong_address: nobody listens there). The dependency must say by `names` under which names the service knows it; " +
			"what the service asks for other names is passed on. Every answer has a TTL of 0. Only looking up fails: open connections go on, and so do new ones to " +
			"an address that is known already. `connections: N` counts the queries of each name and type: a lookup asks for A and AAAA side by side, and " +
			"a program that asks again after a failure asks a second time. Names in /etc/hosts, and what nscd or systemd-resolved (nss-resolve) are asked " +
			"over their own sockets, are out of reach.",
		Client: "nxdomain and no_data: EAI_NONAME or EAI_NODATA (\"no such host\", ENOTFOUND) at once. servfail and refused: EAI_AGAIN (\"server misbehaving\"), often after " +
			"asking again. silent: the same after the time limit of the program's resolver, 10 s or more by default. wrong_address: connect fails with ECONNREFUSED.",
		Example: "{on: postgres, during: database, for: 5s, fault: {dns: servfail}}",
		Params: []Param{
			{Name: "answer", Type: TypeEnum, Default: "nxdomain",
				Enum: []string{"nxdomain", "no_data", "servfail", "refused", "silent", "slow", "wrong_address"},
				Doc:  "What a query for one of its names is answered; slow is the truth, late."},
			{Name: "delay", Type: TypeDuration, Default: timeline.Duration(0), Min: timeline.Duration(0), Max: timeline.Duration(time.Hour),
				Doc: "How late the answer comes; slow without one takes 3s. At the lift those that wait get the truth."},
		},
		Behave: func(s Spec) Behaviour {
			answer := s.Text("answer")
			r := &Resolution{Delay: s.Duration("delay")}
			if answer == "slow" && r.Delay == 0 {
				r.Delay = slowAnswer
			}
			for a, word := range nameAnswers {
				if word == answer {
					r.Answer = NameAnswer(a)
				}
			}
			return Behaviour{Resolve: r}
		},
		check: func(s Spec) []Problem {
			if s.Text("answer") == Silent.String() && s.Duration("delay") > 0 {
				return []Problem{{Param: "delay", Text: "dns.delay: silent never answers, so it can't be late"}}
			}
			return nil
		},
	}
}
