package orchestrators

import "fmt"

// shownRestarts is how many restarts of a crash loop are told.
const shownRestarts = 4

// maxRestarts ends the search for a start after the lift.
const maxRestarts = 1000

// crashloop is how a service is started again which always ends as it did.
type crashloop struct {
	restarts []float64 // when it is started again
	given    string    // why it is not started any more, "" when it goes on for ever
	at       float64   // when that is decided
}

// policy says after the n-th end (from 1), at ms, how long to wait before the next start; ok is false with words for why there is none.
// ran is how long the start lasted.
type policy func(n int, at, ran float64) (wait float64, why string, ok bool)

// play repeats a start that lasts for life and then needs stopping to be gone, until n restarts were seen, one begins at or after until, or no
// more is allowed.
func play(life, stopping float64, n int, until float64, next policy) crashloop {
	var loop crashloop
	begun := 0.0
	for i := 1; ; i++ {
		gone := begun + life + stopping
		wait, why, ok := next(i, gone, gone-begun)
		if !ok {
			loop.given, loop.at = why, gone
			return loop
		}
		begun = gone + wait
		loop.restarts = append(loop.restarts, begun)
		if i >= maxRestarts || (i >= n && begun >= until) {
			return loop
		}
	}
}

// words tells the restarts: "restarts at 30.1 s, 70.2 s, ...".
func (l crashloop) words() string {
	var parts []string
	for _, r := range l.restarts[:min(len(l.restarts), shownRestarts)] {
		parts = append(parts, seconds(r))
	}
	switch {
	case len(parts) == 0:
		return l.given
	case l.given != "" && len(l.restarts) <= shownRestarts:
		return "restarts at " + list(parts) + ", then no more: " + l.given
	case l.given != "":
		return fmt.Sprintf("restarts at %s and %d more, then no more: %s", list(parts), len(l.restarts)-shownRestarts, l.given)
	}
	return "restarts at " + list(parts) + ", ..."
}

// after returns the first restart at or after ms.
func (l crashloop) after(ms float64) (float64, bool) {
	for _, r := range l.restarts {
		if r >= ms {
			return r, true
		}
	}
	return 0, false
}

// crashed words what becomes of a service that ends by itself: its restarts, and which is the first that the fault does not meet. gaveUp is true
// when there is none although the fault goes off: then it stays down.
func crashed(s Start, next policy) (text string, gaveUp bool) {
	until := 0.0
	if s.LiftMS != nil {
		until = *s.LiftMS
	}
	loop := play(s.Exit.AtMS, 0, shownRestarts, until, next)
	text = loop.words()
	if s.LiftMS == nil {
		return text, false
	}
	first, found := loop.after(*s.LiftMS)
	if !found {
		return fmt.Sprintf("%s (at %s); the fault went off at %s: it would have stayed down", text, seconds(loop.at), seconds(*s.LiftMS)), true
	}
	return fmt.Sprintf("%s; the first start after the fault went off (%s) is that at %s", text, seconds(*s.LiftMS), seconds(first)), false
}

// The kubelet's back-off for the restarts of a container: the first is at once, then 10 s, doubling up to 5 minutes, counted from the end of
// the container; whoever ran for 10 minutes begins anew.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts
const (
	firstBackoff = 10_000.0
	lastBackoff  = 300_000.0
	resetBackoff = 600_000.0
)

// backoff is the policy of the kubelet.
func (k Kubernetes) backoff(bad bool) policy {
	pause := 0.0 // of the present restart
	return func(_ int, _, ran float64) (float64, string, bool) {
		switch {
		case k.RestartPolicy == "Never":
			return 0, "restartPolicy: Never", false
		case k.RestartPolicy == "OnFailure" && !bad:
			return 0, "restartPolicy: OnFailure, and it ended well", false
		case ran > resetBackoff:
			pause = 0
		}
		wait := pause
		pause = min(max(firstBackoff, 2*pause), lastBackoff)
		return wait, "", true
	}
}

// loop words what follows a kill at ms when every start takes as long as this one did.
func (k Kubernetes) loop(ms float64, s Start) string {
	stopping := 0.0
	if s.StopMS != nil {
		stopping = min(*s.StopMS, k.grace())
	}
	loop := play(ms, stopping, shownRestarts, 0, k.backoff(true))
	return loop.words() + ": never ready if every start takes as long"
}

func (k Kubernetes) grace() float64 {
	if k.TerminationGracePeriodSeconds != nil {
		return float64(*k.TerminationGracePeriodSeconds) * 1000
	}
	return 30_000
}

// exited words what becomes of a service that ends by itself.
func (k Kubernetes) exited(s Start) Fate {
	text, gaveUp := crashed(s, k.backoff(s.Exit.Bad))
	f := Fate{State: Exited, Text: fmt.Sprintf("it ended by itself at %s; Kubernetes: %s", seconds(s.Exit.AtMS), text)}
	if gaveUp {
		f.State, f.Next = Killed, "restartPolicy: Always"
	}
	return f
}
