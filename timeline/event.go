// Package timeline holds the evidence of a trial: what was seen, when, in the order in which it was seen.
//
// It is the leaf that every other package shares. It records and never judges: no verdict, no outcome and
// no rule belongs here.
package timeline

// Kind names what an Event is about. The names are part of the report (schema chaos.report/v1).
type Kind string

// The kinds of event. The comment says which fields of Event are set besides ID, MS and Kind.
const (
	// Exec: the service was started. Text: its argv, masked. Incarnation: 1 for the first start.
	Exec Kind = "exec"
	// Log: a line the service wrote. Stream, Text (without ANSI sequences, masked), Secret.
	Log Kind = "log"
	// LogDropped: lines were left out of the timeline (never out of the log file). Count["lines"]. Lines that an expectation
	// or an invariant looks for are not left out.
	LogDropped Kind = "log.dropped"
	// PhaseBegin: a phase began. Phase, Source (log, connect, http, notify, mark, ready), Inexact.
	PhaseBegin Kind = "phase.begin"
	// PhaseEnd: a phase ended. Phase, Source ("exit" when only because the service exited), Inexact.
	PhaseEnd Kind = "phase.end"
	// FaultArmed: a fault came on. Fault, Dependency, Text (the fault in words).
	FaultArmed Kind = "fault.armed"
	// FaultBite: the fault met its first connection or byte since it was armed. Fault, Dependency, Connection, Text.
	FaultBite Kind = "fault.bite"
	// Denied: the fault answered a request on a connection to the dependency by itself. Fault, Dependency, Connection, Text. What comes within 20 ms of
	// one on the same connection is not told of again. Count as in Connect.
	Denied Kind = "denied"
	// FaultLifted: the fault went off. Fault, Dependency. Text says why (its phase ended, its time was over, end of trial).
	// Source is "end" when it was lifted only because the trial was over, "exit" when its phase ended only because the service
	// exited, "phase" when the service got through the phase that the fault lasts for, "" otherwise.
	FaultLifted Kind = "fault.lifted"
	// FaultSummary: the figures of a fault at the end. Fault, Dependency, Count: connections_hit, bytes_hit, escaped.
	FaultSummary Kind = "fault.summary"
	// Connect: the service called connect(2) for a declared dependency. Dependency, Target, Result
	// (allowed, redirected, refused, delayed, or astray: to the wrong address that a fault gave for its name), Error (the errno's name
	// when refused). Count, when chaos itself was asking something of the service at that moment: asking (its requests under way, or proofs and load that
	// ended less than 100 ms ago), asked (begun so far); of them proofs and load: proving, proved.
	Connect Kind = "connect"
	// Undeclared: the service connected to an address that no dependency declares. Target.
	Undeclared Kind = "connect.undeclared"
	// Resolver: how the names of dependencies are answered. Text.
	Resolver Kind = "resolver"
	// Resolve: a declared name was looked up. Dependency, Name, Text (the type: A, AAAA), Result (answered, no_data, nxdomain, servfail,
	// refused, silent, wrong_address, delayed).
	Resolve Kind = "resolve"
	// UndeclaredName: a name that no dependency declares was looked up for the first time. Name.
	UndeclaredName Kind = "resolve.undeclared"
	// Escape: a connection reached a declared dependency around its proxy. Dependency, Target, Text.
	Escape Kind = "escape"
	// Accept: a proxy accepted a connection. Dependency, Connection, Count as in Connect.
	Accept Kind = "accept"
	// Close: a proxied connection ended. Dependency, Connection, Text (who closed it), Count: bytes_up, bytes_down.
	Close Kind = "close"
	// UpstreamError: a proxy could not reach the real dependency. Dependency, Error.
	UpstreamError Kind = "upstream.error"
	// Notify: an sd_notify datagram. Text.
	Notify Kind = "notify"
	// Mark: the service posted to $CHAOS_MARK_URL. Name.
	Mark Kind = "mark"
	// ReadyClaim: the service's own ready probe said yes for the first time (again after ReadyLost). Degraded when it
	// said so itself. Text: what it answered, shortened. Source: log when it was a line of the log, which can't be taken back. Count of one
	// that a probe found: asked_ms, when the last ask was begun that it said no to; between that and MS it became true.
	ReadyClaim Kind = "ready.claim"
	// ReadyLost: the claim was taken back: the ready probe says no again. Error: what it said.
	ReadyLost Kind = "ready.lost"
	// Answer: what the orchestrator would ask was answered otherwise than before, or for the first time. Name (startupProbe, healthcheck, ...),
	// OK, Error.
	Answer Kind = "answer"
	// Proof: one attempt of one proof under readiness. Name, OK, Error, Claimed (the service still claimed to be ready
	// right after the attempt), Result (of one that failed while it did: what its ready answer says then, ready or degraded), Count: took_ms,
	// attempts (how many it were since the claim, or since it last held: attempts that say the same as those before them have no event), failed_ms (of
	// one that held: when the last ask that failed was begun), held_ms (of one that held: when the first ask in a row that held was over; of
	// one that failed: when the last ask that held was begun).
	Proof Kind = "proof"
	// EarlyProof: the same of an attempt from before the claim, with the same fields but Claimed and Result.
	EarlyProof Kind = "proof.early"
	// Budget: the service's budget was over while it was neither ready nor gone. Text.
	Budget Kind = "budget"
	// Stop: the runner asked the service to stop. Signal. Source is "experiment" when the experiment asks for it, "" when observation is
	// over.
	Stop Kind = "stop"
	// Kill: the service did not stop within its grace and was killed. Text.
	Kill Kind = "kill"
	// Survivor: a process of the service outlived it and was killed. PID, Text (its command line).
	Survivor Kind = "survivor"
	// Exit: the service's process ended. Code or Signal, Incarnation.
	Exit Kind = "exit"
	// Restart: the runner, playing the orchestrator, will start it again. Incarnation (the next), Text.
	Restart Kind = "restart"
	// Dependency: figures of one dependency at the end of observation, before the service is stopped. Dependency, Count:
	// attempts, refused, accepted, open_at_end, bytes_up, bytes_down. Missing keys were not observable.
	Dependency Kind = "dependency"
	// Process: figures of the service's processes. Source says when: sample (one more of something than ever before), ready, end
	// (observation ended), exit. Count: fds, threads, children, rss_bytes, max_rss_bytes (the largest so far: of all together when they
	// were looked at, or ever of one of them), cpu_ms. At ready and end the descriptors are told apart: files, pipes, fds_other,
	// sockets_to.DEPENDENCY and those of them that the other side has closed (close_wait.DEPENDENCY), sockets_accepted,
	// sockets_listening, sockets_other. Missing keys were not looked at.
	Process Kind = "process"
	// TrafficBegin: the load on the service began. Text: the load in words.
	TrafficBegin Kind = "traffic.begin"
	// Traffic: the course of the load, one event for one or more seconds of it. Count: requests, ok, errors, max_ms.
	Traffic Kind = "traffic"
	// TrafficError: one failed request, of the first of each sort. Name (its step), Result (status, unavailable, hang, reset, closed,
	// dropped, wrong, refused, failed), Claimed (it was sent after the claim to be ready), Error, Count: sent_ms (since the load
	// began), took_ms, status (0: there was none).
	TrafficError Kind = "traffic.error"
	// TrafficSummary: the figures of the load, for each step (Name), and for all of it (no Name). Result (complete, exited, interrupted),
	// Count: requests, ok, errors, errors_KIND, p50_ms, p95_ms, p99_ms, max_ms, mean_ms of requests after the claim; early_requests,
	// early_KIND, early_bad of those before it; unsent, cut, for_ms, lag_p50_ms, lag_p99_ms, lag_max_ms of the generator. Latencies count from the
	// intended moment; they are those of requests that were answered as they should, and of those that hung.
	TrafficSummary Kind = "traffic.summary"
	// Control: figures of the control trial that this one is compared with, at its end as in Process, but the most
	// threads and the largest resident set that it ever had. Count.
	Control Kind = "control"
	// Again: the service is started once more, with no fault on, against the same state. What follows belongs to that start. Text.
	Again Kind = "again"
	// MissingEvidence: something could not be observed here. Text says what and why. Source is "process" when it is the figures of the
	// service's processes.
	MissingEvidence Kind = "evidence.missing"
	// Harness: the harness itself failed; the trial is an error, never the service's fault. Error.
	Harness Kind = "harness.error"
	// Interrupted: the run was interrupted (Ctrl-C) in the middle of this trial.
	Interrupted Kind = "interrupted"
	// End: observation ended; what follows is the stop and the clean-up. Text says why.
	End Kind = "end"
)

// Event is one thing seen. Fields that do not concern its Kind are zero.
type Event struct {
	ID          int                `json:"id"` // position in the timeline, from 0: the evidence id that reasons cite
	MS          float64            `json:"ms"` // milliseconds since exec of the service, monotonic
	Kind        Kind               `json:"kind"`
	Text        string             `json:"text,omitempty"`
	Matched     []string           `json:"matched,omitempty"` // of a Log: expressions that matched the line only before it was masked and shortened
	Secret      []string           `json:"secret,omitempty"`  // of a Log: names of the secrets that the line held before it was masked
	Phase       string             `json:"phase,omitempty"`
	Source      string             `json:"source,omitempty"`
	Inexact     bool               `json:"inexact,omitempty"`
	Stream      string             `json:"stream,omitempty"`
	Dependency  string             `json:"dependency,omitempty"`
	Fault       string             `json:"fault,omitempty"` // "f1", "f2", ... in the order of inject
	Connection  int                `json:"connection,omitempty"`
	Target      string             `json:"target,omitempty"`
	Result      string             `json:"result,omitempty"`
	Name        string             `json:"name,omitempty"`
	OK          *bool              `json:"ok,omitempty"`
	Claimed     bool               `json:"claimed,omitempty"`
	Degraded    bool               `json:"degraded,omitempty"`
	Error       string             `json:"error,omitempty"`
	Code        *int               `json:"code,omitempty"`
	Signal      string             `json:"signal,omitempty"`
	PID         int                `json:"pid,omitempty"`
	Replica     int                `json:"replica,omitempty"` // of which of several instances, from 1; 0: of the only one, or of all
	Incarnation int                `json:"incarnation,omitempty"`
	Count       map[string]float64 `json:"count,omitempty"`
}
