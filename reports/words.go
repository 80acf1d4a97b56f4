package reports

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// mark is the word in the second column of a timeline for each kind of event; a kind that is missing here shows its own name.
var marks = map[timeline.Kind]string{
	timeline.Exec: "start", timeline.Log: "log", timeline.LogDropped: "log", timeline.PhaseBegin: "phase", timeline.PhaseEnd: "phase",
	timeline.FaultArmed: "FAULT", timeline.FaultBite: "FAULT", timeline.FaultLifted: "FAULT", timeline.FaultSummary: "FAULT",
	timeline.Connect: "connect", timeline.Undeclared: "connect", timeline.Escape: "ESCAPE", timeline.Resolve: "resolve", timeline.UndeclaredName: "resolve",
	timeline.Accept: "connect", timeline.Denied: "FAULT",
	timeline.Close: "close", timeline.UpstreamError: "upstream", timeline.ReadyClaim: "READY", timeline.ReadyLost: "READY",
	timeline.Proof: "proof", timeline.EarlyProof: "proof", timeline.Budget: "BUDGET", timeline.Stop: "stop", timeline.Kill: "KILL", timeline.Survivor: "KILL",
	timeline.Exit: "EXIT", timeline.Restart: "start", timeline.MissingEvidence: "missing", timeline.Harness: "HARNESS",
	timeline.Interrupted: "HARNESS", timeline.End: "end", timeline.Answer: "answer", timeline.TrafficBegin: "traffic", timeline.Traffic: "traffic",
	timeline.TrafficError: "traffic", timeline.TrafficSummary: "traffic",
	timeline.Again: "AGAIN", timeline.Control: "control",
}

func mark(k timeline.Kind) string {
	if m, ok := marks[k]; ok {
		return m
	}
	return string(k)
}

// describe words an event on one line.
func describe(e timeline.Event, faults []contracts.Fault) string {
	text := oneLine(strings.TrimRight(words(e, faults), " :"))
	if e.Replica > 0 {
		return fmt.Sprintf("[%d] %s", e.Replica, text)
	}
	return text
}

func words(e timeline.Event, faults []contracts.Fault) string {
	switch e.Kind {
	case timeline.Exec:
		return nth(e.Incarnation) + e.Text
	case timeline.Restart:
		return "will be started again: " + e.Text
	case timeline.Log:
		if e.Stream == "stderr" {
			return "! " + e.Text
		}
		return "| " + e.Text
	case timeline.LogDropped:
		return fmt.Sprintf("(%.0f lines are left out here; the log file has them)", e.Count["lines"])
	case timeline.PhaseBegin, timeline.PhaseEnd:
		return phaseWords(e)
	case timeline.FaultArmed, timeline.FaultBite, timeline.Denied, timeline.FaultLifted, timeline.FaultSummary:
		return faultWords(e, faults)
	case timeline.ReadyClaim, timeline.ReadyLost, timeline.Proof, timeline.EarlyProof:
		return readyWords(e)
	case timeline.Answer:
		return answerWords(e)
	case timeline.Exit:
		return exitWords(e)
	case timeline.Stop:
		if e.Source == "experiment" {
			return "the experiment asks it to stop with " + e.Signal
		}
		return "asked to stop with " + e.Signal
	case timeline.Again:
		return "it is started again: " + e.Text
	case timeline.Kill:
		return "killed: " + e.Text
	case timeline.Survivor:
		return fmt.Sprintf("killed what it left behind, process %d: %s", e.PID, e.Text)
	case timeline.Budget:
		return "the budget is over: " + e.Text
	case timeline.Harness:
		return firstOf(e.Error, e.Text)
	case timeline.Interrupted:
		return "interrupted " + e.Text
	case timeline.End:
		return "observation ends: " + e.Text
	case timeline.Dependency, timeline.Process, timeline.Control:
		return figuresWords(e)
	case timeline.TrafficBegin, timeline.Traffic, timeline.TrafficError, timeline.TrafficSummary:
		return trafficWords(e)
	}
	return networkWords(e)
}

func networkWords(e timeline.Event) string {
	on := e.Dependency
	if e.Connection > 0 {
		on += fmt.Sprintf(" #%d", e.Connection)
	}
	switch e.Kind {
	case timeline.Connect:
		text := fmt.Sprintf("%s %s", on, e.Result)
		if e.Error != "" {
			text += " with " + e.Error
		}
		return text
	case timeline.Undeclared:
		return "to " + e.Target + ", which no dependency declares"
	case timeline.Resolve:
		return fmt.Sprintf("%s of %s for %s: %s", e.Text, e.Name, on, e.Result)
	case timeline.UndeclaredName:
		return e.Name + ", which no dependency declares"
	case timeline.Escape:
		return fmt.Sprintf("to %s at %s, around its proxy: %s", on, e.Target, e.Text)
	case timeline.Accept:
		return on + " accepted"
	case timeline.Close:
		return fmt.Sprintf("%s closed: %s (%.0f bytes up, %.0f down)", on, e.Text, e.Count["bytes_up"], e.Count["bytes_down"])
	case timeline.UpstreamError:
		return on + " itself could not be reached: " + e.Error
	case timeline.Mark:
		return e.Name
	}
	return firstOf(e.Text, e.Error)
}

func phaseWords(e timeline.Event) string {
	verb := "begins"
	if e.Kind == timeline.PhaseEnd {
		verb = "ends"
	}
	text := e.Phase + " " + verb
	if e.Source != "" && e.Source != "log" {
		text += " (" + e.Source + ")"
	}
	if e.Inexact {
		text += ", not exact"
	}
	return text
}

func faultWords(e timeline.Event, faults []contracts.Fault) string {
	what := e.Fault
	if n, err := strconv.Atoi(strings.TrimPrefix(e.Fault, "f")); err == nil && n >= 1 && n <= len(faults) {
		what = faults[n-1].Kind + " on " + faults[n-1].On
		if len(faults) > 1 {
			what = e.Fault + " " + what
		}
	}
	switch e.Kind {
	case timeline.FaultArmed:
		return what + " is on"
	case timeline.FaultBite:
		return what + " bites: " + e.Text
	case timeline.Denied:
		return fmt.Sprintf("%s, connection %d: %s", what, e.Connection, e.Text)
	case timeline.FaultLifted:
		return what + " is lifted: " + e.Text
	}
	return fmt.Sprintf("%s met %.0f connections and %.0f bytes", what, e.Count["connections_hit"], e.Count["bytes_hit"])
}

func readyWords(e timeline.Event) string {
	switch {
	case e.Kind == timeline.ReadyClaim && e.Degraded:
		return "claims to be ready, degraded: " + e.Text
	case e.Kind == timeline.ReadyClaim:
		return "claims to be ready: " + e.Text
	case e.Kind == timeline.ReadyLost:
		return "is not ready any more: " + e.Error
	case e.OK != nil && *e.OK:
		return e.Name + ": holds" + earlyWords(e)
	case e.Claimed:
		return e.Name + ": FAILS while it claims to be ready: " + e.Error
	}
	return e.Name + ": fails" + earlyWords(e) + ": " + e.Error
}

func earlyWords(e timeline.Event) string {
	if e.Kind == timeline.EarlyProof {
		return " before it claims to be ready"
	}
	return ""
}

func exitWords(e timeline.Event) string {
	switch {
	case e.Signal != "":
		return "ended by " + e.Signal
	case e.Code != nil:
		return "exited with code " + strconv.Itoa(*e.Code)
	}
	return "exited"
}

func figuresWords(e timeline.Event) string {
	var parts []string
	for _, k := range sortedKeys(e.Count) {
		parts = append(parts, fmt.Sprintf("%s %.0f", k, e.Count[k]))
	}
	return strings.TrimSpace(e.Dependency + " " + strings.Join(parts, ", "))
}

// nth counts the starts after the first.
func nth(n int) string {
	if n <= 1 {
		return ""
	}
	return fmt.Sprintf("(start %d) ", n)
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// answerWords tells what the orchestrator would have been answered from now on.
func answerWords(e timeline.Event) string {
	if e.OK != nil && *e.OK {
		return e.Name + " would hold from now on"
	}
	return e.Name + " would fail from now on: " + e.Error
}
