package phases

import (
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// defaultPollInterval is between two polls of an http match.
const defaultPollInterval = timeline.Duration(50 * time.Millisecond)

// Poll is something that must be asked over HTTP, again and again, while the service starts; when it is so, Tracker.Polled is
// told. What is learned this way is never exact.
type Poll struct {
	Phase  string
	Begins bool // false: it is the end of the phase that is asked for
	HTTP   HTTP // with the default interval filled in
}

// Polls returns everything that is polled in the course of an incarnation: the begins and ends by http, in the order of the list. A
// begin need not be asked for once it came (Polled ignores it), an end only while its phase is on.
func (t *Tracker) Polls() []Poll {
	var polls []Poll
	for _, r := range t.list {
		polls = appendPoll(polls, &r.begins)
		if r.ends != nil {
			polls = appendPoll(polls, r.ends)
		}
	}
	return polls
}

func appendPoll(polls []Poll, m *match) []Poll {
	if m.spec.HTTP == nil {
		return polls
	}
	asked := *m.spec.HTTP
	if asked.Interval == 0 {
		asked.Interval = defaultPollInterval
	}
	return append(polls, Poll{Phase: m.phase, Begins: m.begins, HTTP: asked})
}
