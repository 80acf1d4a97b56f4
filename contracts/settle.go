package contracts

// Entry is one trial of a suite for Settle. Start is the key of the way its service is started: trials with the same key share
// their controls.
type Entry struct {
	Start      string
	Control    bool
	Faultless  bool // nothing was injected: what it shows, it shows without a control
	Experiment string
	Judgment   Judgment
}

// Settle looks at a whole suite: where a control shows that the service does not even start without a fault, the experiments that
// start it the same way become inconclusive, whatever they seemed to show. It returns the judgments in the order of entries.
//
// A control whose service did become ready with every proof, but which violates an invariant, fails for itself and spoils nothing:
// the experiments stand on a start that works, unless they were not run because of it. A harness error stays one, and so does an
// interruption. A trial without a fault keeps its judgment: nothing that was injected could be mistaken for what the service does anyhow.
func Settle(entries []Entry) []Judgment {
	cause := map[string]Judgment{}
	for _, e := range entries {
		if _, known := cause[e.Start]; !known && e.Control && e.Judgment.Spoils() {
			cause[e.Start] = e.Judgment
		}
	}
	failed := map[string]Judgment{} // a control did not pass, for whatever reason
	for _, e := range entries {
		if _, known := failed[e.Start]; !known && e.Control && e.Judgment.Verdict != Pass && !e.Judgment.interrupted() {
			failed[e.Start] = e.Judgment
		}
	}
	out := make([]Judgment, len(entries))
	for i, e := range entries {
		out[i] = e.Judgment
		c, spoiled := cause[e.Start]
		spoiled = spoiled && !e.Faultless
		if !spoiled && e.Judgment.neverStarted() {
			c, spoiled = failed[e.Start] // it was not even run
		}
		if spoiled && !e.Control && e.Judgment.Verdict != Error && !e.Judgment.interrupted() {
			out[i] = Judgment{Verdict: Inconclusive, Reasons: []Reason{c.asCause()}}
		}
	}
	return out
}

// Spoils reports whether this judgment of a control takes the ground from the experiments that share its start. An interrupted
// control shows nothing and takes nothing away from what was judged before it; neither does one whose service did become ready with
// every proof, and of which only something else could not be decided.
func (j Judgment) Spoils() bool {
	switch j.Verdict {
	case Pass:
		return false
	case Fail:
		return j.SetUpFailed()
	case Inconclusive:
		return !j.interrupted() && !j.setUpHeld()
	}
	return !j.interrupted()
}

// setUpHeld reports whether this is a control whose service became ready with every proof.
func (j Judgment) setUpHeld() bool {
	held := false
	for _, r := range j.Reasons {
		held = held || r.Rule == "control" && r.State == Held
	}
	return held && !j.SetUpFailed()
}

// SetUpFailed reports whether this is a control that failed because the service did not become ready, with every proof, although
// nothing was injected.
func (j Judgment) SetUpFailed() bool {
	for _, r := range j.Reasons {
		if r.Rule == "control" && r.State != Held {
			return true
		}
	}
	return false
}

func (j Judgment) neverStarted() bool {
	return len(j.Reasons) > 0 && j.Reasons[0].Rule == "not_started"
}

func (j Judgment) interrupted() bool {
	return len(j.Reasons) > 0 && j.Reasons[0].Rule == "interrupted"
}

// asCause is the one reason that every experiment gets which a control spoils. It cites no events: they are in the control's own
// timeline.
func (j Judgment) asCause() Reason {
	r := Reason{Rule: "control", State: Undecided, Text: "the control trial (no fault) did not pass",
		Next: "make the control pass first; the experiments mean nothing without it"}
	if len(j.Reasons) > 0 {
		r.Text += ": " + j.Reasons[0].Text
		if next := j.Reasons[0].Next; next != "" {
			r.Next += ": " + next
		}
	}
	return r
}
