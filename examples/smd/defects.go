package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Defect is a known weakness that --defect switches on, to prove that an
// experiment finds it.
type Defect string

// The defects, in the order of their documentation.
const (
	FalseReadyRedis          Defect = "false-ready-redis"
	HangOnBlackholedPostgres Defect = "hang-on-blackholed-postgres"
	ReadyBeforeSchema        Defect = "ready-before-schema"
	SwallowLLM               Defect = "swallow-llm"
	EarlyWebSocket           Defect = "early-websocket"
	RetryStorm               Defect = "retry-storm"
	IgnoreSIGTERM            Defect = "ignore-sigterm"
	WrongPhaseOrder          Defect = "wrong-phase-order"
	LeakConnections          Defect = "leak-connections"
	ExitZero                 Defect = "exit-zero"
	SlowDependencies         Defect = "slow-dependencies"
	MissingTables            Defect = "missing-tables"
	ClickHouseBlocks         Defect = "clickhouse-blocks"
	LogSecret                Defect = "log-secret" // #nosec G101 -- a name, not a secret
	NeverGivesUp             Defect = "never-gives-up"
	HealthLies               Defect = "health-lies"
	LostEarlyMessage         Defect = "lost-early-message"
	NoAuth                   Defect = "no-auth"
	ForkChild                Defect = "fork-child"
	ColdPool                 Defect = "cold-pool"
	EarlyError               Defect = "early-error"
	StampedeCrash            Defect = "stampede-crash"
	NoJitter                 Defect = "no-jitter"
	ParallelStorm            Defect = "parallel-storm"
	SameSeed                 Defect = "same-seed"
	AcceptExpired            Defect = "accept-expired"
	AnyOrigin                Defect = "any-origin"
	NoRateLimit              Defect = "no-rate-limit"
	SharedSession            Defect = "shared-session"
	StuckSession             Defect = "stuck-session"
	UnstoredThread           Defect = "unstored-thread"
	LostEvents               Defect = "lost-events"
	DeadWorker               Defect = "dead-worker"
	LeakDescriptors          Defect = "leak-descriptors"
	Balloon                  Defect = "balloon"
	ThreadPile               Defect = "thread-pile"
	DeafDatabase             Defect = "deaf-database"
	HalfMigration            Defect = "half-migration"
	StaleLock                Defect = "stale-lock"
	VagueFailure             Defect = "vague-failure"
	LateReady                Defect = "late-ready"
)

// defectDoc documents one defect: what it plays, which of the failures really
// met it is (0: none of the fifteen), and what should catch it.
type defectDoc struct {
	name    Defect
	plays   string
	failure int
	caught  string
}

// defectTable is the documentation, in --help and in the README alike.
func defectTable() []defectDoc {
	return []defectDoc{
		{FalseReadyRedis, "Redis errors are swallowed in CACHE and WEBSOCKET; readiness says yes", 4, "no_false_ready; fail_fast on redis; wait"},
		{HangOnBlackholedPostgres, "no time limit on connecting to or querying PostgreSQL", 1, "fail_fast, recover, startup_budget (outcome hung)"},
		{ReadyBeforeSchema, "claims ready once PostgreSQL answers; the migrations come SMD_SCHEMA_DELAY (1s) later", 9, "no_false_ready"},
		{SwallowLLM, "an LLM failure is swallowed: up, but without a supervisor every chat is broken", 8, "fail_fast on llm; no_false_ready"},
		{EarlyWebSocket, "accepts WebSockets from DATABASE on, before the supervisor exists, and closes them with 1011", 7, "no_false_ready where an accepted WebSocket is the claim"},
		{RetryStorm, "tries a critical dependency again every 5 ms, without backoff, for --retry (or 5s)", 3, "retry {max_rate, growing gaps}"},
		{IgnoreSIGTERM, "SIGTERM is ignored, during startup and afterwards", 0, "stops_on_signal"},
		{WrongPhaseOrder, "CACHE runs before DATABASE", 0, "phase_order"},
		{LeakConnections, "every retry of PostgreSQL starts a reconnector of its own whose connection nobody closes", 14, "no_leaked_connections"},
		{ExitZero, "exits 0 when a phase failed", 0, "fail_fast {exit_code: nonzero}"},
		{SlowDependencies, "DEPENDENCIES takes SMD_SLOW (31s) longer, and succeeds", 2, "startup_budget, phase_budgets, tolerate, survives_orchestrator"},
		{MissingTables, "writes turns to a table that no migration creates, and does not check", 9, "no_false_ready"},
		{ClickHouseBlocks, "waits SMD_CLICKHOUSE_BLOCK (65s) for the optional ClickHouse, and again in readiness", 10, "degrade, startup_budget"},
		{LogSecret, "logs DATABASE_URL with its password", 0, "log_never; no_secrets_in_logs"},
		{NeverGivesUp, "tries a critical dependency again for ever", 0, "give_up, startup_budget (outcome hung)"},
		{HealthLies, "/health/ready is 200 as soon as anything is served", 6, "no_false_ready"},
		{LostEarlyMessage, "a WebSocket message before the connection is registered (300 ms) is dropped", 12, "no_false_ready with a websocket probe"},
		{NoAuth, "tokens are not verified, and starting without keys is accepted", 15, "no_false_ready with a forged token; fail_fast on auth"},
		{ForkChild, "forks a child in a session of its own, which holds the output open and outlives the service", 0, "stops_on_signal; no_orphans"},
		{ColdPool, "the first 20 requests warm the service up one after the other, SMD_COLD (250ms) each", 14, "traffic {sla: {p95}}"},
		{EarlyError, "requests before the startup is complete get 500 instead of 503", 0, "early_traffic"},
		{StampedeCrash, "more than 30 requests within 10 s end the process with a fatal error", 0, "traffic (a stampede at the claim)"},
		{NoJitter, "pauses between retries double to the millisecond: instances that fail together come back together", 3, "retry {jitter}, retry {lockstep}"},
		{ParallelStorm, "eight workers try to connect to Redis, each for itself, at the same time", 3, "retry {max_parallel, max_amplification}"},
		{SameSeed, "the jitter of the retries is drawn from the same seed in every instance", 3, "retry {lockstep}"},
		{AcceptExpired, "a token that was signed once is accepted for ever", 15, "no_false_ready with a jwt probe"},
		{AnyOrigin, "browsers of every origin are let in, with cookies", 0, "no_false_ready with cors_refused"},
		{NoRateLimit, "requests beyond the rate limit are served", 0, "no_false_ready with rate_limit"},
		{SharedSession, "all requests that store a thread share one PostgreSQL session, for SMD_SESSION_HOLD (200ms) each", 14, "no_false_ready with parallel requests"},
		{StuckSession, "a chat whose connection broke is never given up: its session can not connect again", 0, "no_false_ready with a reconnecting WebSocket"},
		{UnstoredThread, "a new thread is kept in the cache alone", 9, "no_false_ready with a query on PostgreSQL behind the request"},
		{LostEvents, "what chats do is never told to ClickHouse", 0, "no_false_ready with a query on ClickHouse behind the chat"},
		{DeadWorker, "the analytics worker is not started, and nobody says so", 0, "no_false_ready with a metrics probe"},
		{LeakDescriptors, "every retry opens eight sockets to Redis and a file, which nobody closes", 14, "no_leaked_fds"},
		{Balloon, "every retry keeps 40 MiB", 0, "memory"},
		{ThreadPile, "every retry starts sixteen threads that never end", 0, "threads"},
		{DeafDatabase, "SIGTERM is not noticed in DATABASE: its statements go on", 0, "stop; stops_on_signal"},
		{HalfMigration, "a migration that is cut off leaves the schema marked as dirty, and a dirty one is refused", 9, "then_restart"},
		{StaleLock, "a failed start leaves the file SMD_LOCK behind, which keeps the next one away", 0, "then_restart"},
		{VagueFailure, "says that a phase failed, but not which, nor why", 0, "fail_fast {log}"},
		{LateReady, "serves everything, and says so in its log only SMD_READY_DELAY (5s) later", 0, "late_ready where that line is the claim"},
	}
}

// Defects is the set that is switched on.
type Defects []Defect

// Has reports whether d is switched on.
func (ds Defects) Has(d Defect) bool { return slices.Contains(ds, d) }

// String is the list as --defect takes it.
func (ds *Defects) String() string {
	names := make([]string, len(*ds))
	for i, d := range *ds {
		names[i] = string(d)
	}
	return strings.Join(names, ",")
}

// Set adds a comma-separated list; "none" adds nothing. It makes Defects a
// flag.Value.
func (ds *Defects) Set(list string) error {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		known := func(doc defectDoc) bool { return string(doc.name) == name }
		switch {
		case name == "", name == "none":
		case !slices.ContainsFunc(defectTable(), known):
			return fmt.Errorf("no defect is called %q; smd --help lists them", name)
		case !ds.Has(Defect(name)):
			*ds = append(*ds, Defect(name))
		}
	}
	return nil
}

// unbounded reports whether a defect needs the startup to outlast its budget.
func (ds Defects) unbounded() bool {
	return ds.Has(HangOnBlackholedPostgres) || ds.Has(NeverGivesUp) || ds.Has(SlowDependencies) || ds.Has(ClickHouseBlocks)
}

func printDefects(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, doc := range defectTable() {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", doc.name, doc.plays)
	}
	_ = table.Flush()
}

// defectDuration reads how long a defect lasts from the environment.
func defectDuration(variable string, standard time.Duration) time.Duration {
	if d, err := time.ParseDuration(os.Getenv(variable)); err == nil && d >= 0 {
		return d
	}
	return standard
}
