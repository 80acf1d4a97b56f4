package orchestrators

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/timeline"
)

func sec(s float64) timeline.Duration { return timeline.Duration(s * float64(time.Second)) }

func ref[T any](v T) *T { return &v }

// readyAt is a start that is ready from a second on, and watched for a little longer.
func readyAt(s float64) Start {
	return Start{Ready: []Span{{s * 1000, s*1000 + 100}}, EndMS: s*1000 + 100}
}

// never is a start that is not ready until watching ends.
func never(s float64) Start { return Start{EndMS: s * 1000} }

// exitAt is a start that ends by itself.
func exitAt(s float64, code int) Start {
	return Start{Exit: &Exit{AtMS: s * 1000, Code: code, Bad: code != 0}, EndMS: s * 1000}
}

// lifted is a start whose fault went off at a second.
func lifted(s Start, at float64) Start {
	s.LiftMS = ref(at * 1000)
	return s
}

// fateCase is one row: settings, a start, and what the documentation says comes of it.
type fateCase struct {
	name  string
	who   Orchestrator
	start Start
	state State
	says  []string
}

func runFates(t *testing.T, cases []fateCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, ok := c.who.Fate(c.start)
			assert.True(t, ok)
			assert.Equal(t, c.state, f.State, f.Text)
			for _, says := range c.says {
				assert.Contains(t, f.Text+" | "+f.Next, says)
			}
			assert.NotContains(t, f.Text, "%!")
			if f.State == Killed || f.State == Open {
				assert.NotEmpty(t, f.Next, "it says what to do: %s", f.Text)
			}
		})
	}
}

// The documentation's example (a startupProbe with failureThreshold 30 and periodSeconds 10 gives 300 s), and what the kubelet makes of it: its
// first attempt comes within a period, so the last of n comes after n-1 to n periods.
func TestKubernetesStartupProbe(t *testing.T) {
	three := func(p Probe) Orchestrator {
		return Orchestrator{Kubernetes: &Kubernetes{StartupProbe: &p}}
	}
	documented := three(Probe{FailureThreshold: 30, PeriodSeconds: 10})
	hanging := Probe{PeriodSeconds: 1, TimeoutSeconds: 10} // the kubelet asks one at a time
	runFates(t, []fateCase{
		{"long before", documented, readyAt(34.2), Survives, []string{"startupProbe: 30 failures x 10 s, it was ready at 34.2 s"}},
		{"just in time wherever the ticks fall", documented, readyAt(289.9), Survives, nil},
		{"within the last period", documented, readyAt(295), Open, []string{"may have killed it between 4m 50s and", "failureThreshold >= 31 with periodSeconds 10"}},
		{"too late", documented, readyAt(302), Killed, []string{"Kubernetes would have killed it at 5m 1s at the latest", "it was ready at 5m 2s"}},
		{"the defaults are 3 x 10 s", three(Probe{}), readyAt(34.2), Killed, []string{
			"Kubernetes would have killed it at 31.0 s at the latest, perhaps at 20.0 s already (startupProbe: 3 failures x 10 s), it was ready at 34.2 s",
			"startupProbe.failureThreshold >= 5 with periodSeconds 10", "never ready if every start takes as long"}},
		{"a delay comes first", three(Probe{InitialDelaySeconds: 20}), readyAt(34.2), Survives, []string{"3 failures x 10 s after 20 s"}},
		{"but not for ever", three(Probe{InitialDelaySeconds: 20}), readyAt(52), Killed, []string{"at 51.0 s at the latest, perhaps at 40.0 s already"}},
		{"an answer within the timeout counts", three(Probe{TimeoutSeconds: 5}), readyAt(34.2), Open, []string{
			"it depends on how long an attempt takes that is not answered yes at once, up to timeoutSeconds (5.0 s)"}},
		{"asked only after watching ended", three(Probe{}), readyAt(1), Survives, nil},
		{"never ready", three(Probe{PeriodSeconds: 1}), never(10), Killed, []string{"at 4.0 s at the latest", "it was not ready until 10.0 s"}},
		{"a hanging attempt keeps the next one waiting", three(hanging), readyAt(25), Open, []string{"may have killed it between 2.0 s and 3.0 s"}},
		{"but only so long", three(hanging), readyAt(32), Killed, []string{"at 31.0 s at the latest, perhaps at 2.0 s already"}},
		{"it ends while the last attempt hangs", three(hanging), exitAt(30.5, 3), Exited, []string{"it ended by itself at 30.5 s"}},
		{"watching ends while it does", three(hanging), never(30.5), Open, nil},
		{"not watched for long enough", documented, never(30), Open, []string{"Kubernetes would have waited until 5m 0s", "raise service.budget"}},
		{"taken back at once", three(Probe{}), Start{Ready: []Span{{1000, 1200}}, EndMS: 40_000}, Open, []string{"said that it was ready at 1.0 s and took it back"}},
	})
}

func TestKubernetesLivenessAndReadiness(t *testing.T) {
	liveness := func(p Probe) Orchestrator { return Orchestrator{Kubernetes: &Kubernetes{LivenessProbe: &p}} }
	started := Orchestrator{Kubernetes: &Kubernetes{StartupProbe: &Probe{FailureThreshold: 30}, LivenessProbe: &Probe{}}}
	lost := Start{Ready: []Span{{5000, 20_000}}, EndMS: 80_000}
	own := never(60)
	own.Answers = map[string][]Span{LivenessProbe: {{200, 60_000}}}
	silent, failing := readyAt(2), readyAt(60)
	silent.Answers = map[string][]Span{LivenessProbe: nil}
	failing.Answers = map[string][]Span{LivenessProbe: nil}
	stopped := Start{Ready: []Span{{1000, 40_000}}, EndMS: 40_000, Answers: map[string][]Span{LivenessProbe: {{1000, 30_000}}}}
	runFates(t, []fateCase{
		{"without a startupProbe the livenessProbe kills", liveness(Probe{}), readyAt(34.2), Killed, []string{"livenessProbe: 3 failures x 10 s", "add a startupProbe with failureThreshold >= 5"}},
		{"with one it waits for it", started, readyAt(34.2), Survives, nil},
		{"after the start it kills who takes it back", started, lost, Killed, []string{"livenessProbe: 3 failures x 10 s"}},
		{"its own answers count", liveness(Probe{}), own, Survives, []string{"it was not ready until 60.0 s"}},
		{"it was not answered yes once, in a time too short to kill", liveness(Probe{}), silent, Open, []string{"was not answered yes once in 2.1 s", "watch it for longer"}},
		{"nor in a longer one", liveness(Probe{}), failing, Killed, []string{"see what its livenessProbe asks (path and port)"}},
		{"it is not answered yes any more", liveness(Probe{}), stopped, Open, []string{"not answered yes any more from 30.0 s on"}},
		{"nothing to kill it", Orchestrator{Kubernetes: &Kubernetes{}}, never(60), Survives, []string{"neither startupProbe nor livenessProbe", "traffic from its start on, ready or not"}},
		{"traffic from the next tick on", Orchestrator{Kubernetes: &Kubernetes{ReadinessProbe: &Probe{PeriodSeconds: 5, SuccessThreshold: 2}}}, readyAt(3), Survives,
			[]string{"traffic from 8.0 s to 13.0 s on"}},
		{"its exec is not run", Orchestrator{Kubernetes: &Kubernetes{StartupProbe: &Probe{How: "exec"}}}, readyAt(3), Survives,
			[]string{"service.ready stands for the exec of its startupProbe"}},
	})
}

// "10s, 20s, 40s, ... capped at 300 seconds", the first restart at once, and anew after ten minutes without trouble.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts
func TestKubernetesBackoff(t *testing.T) {
	next := Kubernetes{}.backoff(true)
	var waits []float64
	for n := range 9 {
		wait, _, ok := next(n+1, 0, 1000)
		assert.True(t, ok)
		waits = append(waits, wait/1000)
	}
	assert.Equal(t, []float64{0, 10, 20, 40, 80, 160, 300, 300, 300}, waits)
	wait, _, _ := next(10, 0, 601_000)
	assert.Zero(t, wait, "ten minutes without trouble are forgiven")
	_, why, ok := Kubernetes{RestartPolicy: "Never"}.backoff(true)(1, 0, 0)
	assert.False(t, ok)
	assert.Equal(t, "restartPolicy: Never", why)
	_, _, ok = Kubernetes{RestartPolicy: "OnFailure"}.backoff(false)(1, 0, 0)
	assert.False(t, ok)
}

func TestKubernetesCrashLoop(t *testing.T) {
	k := Orchestrator{Kubernetes: &Kubernetes{StartupProbe: &Probe{PeriodSeconds: 1}}}
	slow := readyAt(34.2)
	slow.StopMS = ref(2000.0)
	job := Orchestrator{Kubernetes: &Kubernetes{RestartPolicy: "Never"}}
	runFates(t, []fateCase{
		{"of kills", k, slow, Killed, []string{"restarts at 6.0 s, 22.0 s, 48.0 s, 94.0 s, ...: never ready if every start takes as long"}},
		{"of exits", k, exitAt(1, 3), Exited, []string{"it ended by itself at 1.0 s; Kubernetes: restarts at 1.0 s, 12.0 s, 33.0 s, 74.0 s, ..."}},
		{"until the fault goes off", k, lifted(exitAt(1, 3), 30), Exited, []string{"the first start after the fault went off (30.0 s) is that at 33.0 s"}},
		{"killed before it exits", k, exitAt(31, 3), Killed, []string{"at 4.0 s at the latest"}},
		{"never restarted", job, exitAt(1, 3), Exited, []string{"Kubernetes: restartPolicy: Never"}},
		{"and the fault goes off", job, lifted(exitAt(1, 3), 30), Killed, []string{"it would have stayed down"}},
	})
}

// https://docs.docker.com/reference/dockerfile/#healthcheck: the first check comes interval after the start, failures within the start period do
// not count, and retries consecutive failures are needed.
func TestCompose(t *testing.T) {
	c := func(c Compose) Orchestrator { return Orchestrator{Compose: &c} }
	patient := Compose{Interval: sec(5), Timeout: sec(1), Retries: 3, StartPeriod: sec(30), StartInterval: sec(2)}
	lost := Start{Ready: []Span{{1000, 40_000}}, EndMS: 400_000}
	slowCheck := Compose{Interval: sec(10), Timeout: sec(10), Retries: 2}
	runFates(t, []fateCase{
		{"the defaults are 3 x 30 s", c(Compose{}), readyAt(121), Open, []string{"it depends on how long its check takes"}},
		{"checked while it starts", c(patient), readyAt(7.1), Survives, []string{"healthy at 8.0 s"}},
		{"failures while it starts do not count", c(patient), readyAt(29), Survives, []string{"healthy at 30.0 s", "start_period 30.0 s"}},
		{"afterwards they do", c(patient), readyAt(60), Killed, []string{"unhealthy at 40.0 s (healthcheck: 3 retries x 5.0 s, start_period 30.0 s), it was ready at 60.0 s",
			"start_period: 50s"}},
		{"without a start period", c(Compose{Interval: sec(5), Timeout: sec(1)}), readyAt(16), Open, nil},
		{"too late in any case", c(Compose{Interval: sec(5), Timeout: sec(1)}), readyAt(19.5), Killed, []string{"unhealthy at 15.0 s"}},
		{"never", c(patient), never(50), Killed, []string{"it was not ready until 50.0 s"}},
		{"a check that hangs takes its timeout", c(slowCheck), readyAt(25), Open, nil},
		{"not watched for long enough", c(patient), never(20), Open, []string{"not watched for long enough"}},
		{"healthy long after watching ended", c(Compose{}), readyAt(1), Survives, []string{"healthy at 30.0 s"}},
		{"lost for long", c(Compose{}), lost, Killed, []string{"healthy at 30.0 s and unhealthy at 120.0 s", "took it back: Swarm would have killed it", "let it go on to answer"}},
		{"lost in the start period", c(Compose{StartPeriod: sec(600)}), lost, Killed, []string{"healthy at 5.0 s and unhealthy at 125.0 s"}},
		{"lost for a while", c(Compose{}), Start{Ready: []Span{{1000, 40_000}, {130_000, 400_000}}, EndMS: 400_000}, Open, []string{"may have called it unhealthy"}},
		{"lost for two checks", c(Compose{Timeout: sec(1)}), Start{Ready: []Span{{1000, 40_000}, {85_000, 400_000}}, EndMS: 400_000}, Survives, []string{"healthy at 30.0 s"}},
		{"ends while its last check hangs", c(slowCheck), exitAt(35, 3), Exited, nil},
		{"no healthcheck", c(Compose{NoHealthcheck: true}), readyAt(1), Survives, []string{"it has no healthcheck"}},
		{"exits", c(Compose{Restart: "always"}), exitAt(1, 3), Exited, []string{"restarts at 1.1 s, 2.3 s, 3.7 s, 5.5 s"}},
		{"restarts are counted", c(Compose{Restart: "on-failure:2"}), lifted(exitAt(1, 3), 30), Killed, []string{"restarts at 1.1 s, 2.3 s, then no more: restart: on-failure:2", "stayed down"}},
		{"no restarts", c(Compose{NoHealthcheck: true}), exitAt(1, 3), Exited, []string{"Docker: restart: no"}},
		{"no restart after success", c(Compose{Restart: "on-failure"}), exitAt(1, 0), Exited, []string{"and it ended well"}},
	})
}

// systemd.service(5): TimeoutStartSec=90s, RestartSec=100ms, and the table of Restart=; systemd.unit(5): 5 starts within 10 s.
func TestSystemd(t *testing.T) {
	u := func(u Systemd) Orchestrator { return Orchestrator{Systemd: &u} }
	impatient := Systemd{Type: "notify", TimeoutStartSec: ref(sec(30)), Restart: "on-failure", RestartSec: ref(sec(1))}
	own := never(60)
	own.Answers = map[string][]Span{SdNotify: {{12_000, 60_000}}}
	runFates(t, []fateCase{
		{"in time", u(Systemd{Type: "notify"}), readyAt(89), Survives, []string{"TimeoutStartSec=90.0 s", "ready at 89.0 s"}},
		{"too late", u(impatient), readyAt(34.2), Killed, []string{"systemd would have stopped it at 30.0 s (TimeoutStartSec), it was ready at 34.2 s",
			"restarts at 31.0 s, 62.0 s", "never ready", "TimeoutStartSec=35s"}},
		{"for ever", u(Systemd{Type: "notify", TimeoutStartSec: ref(sec(0))}), never(60), Open, []string{"TimeoutStartSec=infinity"}},
		{"the notification itself counts", u(impatient), own, Survives, []string{"ready at 12.0 s"}},
		{"it waits for no other type", u(Systemd{}), never(60), Survives, []string{"with Type=simple it does not wait for it to be ready"}},
		{"five starts within ten seconds", u(Systemd{Restart: "on-failure"}), lifted(exitAt(0.2, 3), 3), Killed, []string{
			"restarts at 0.3 s, 0.6 s, 0.9 s, 1.2 s, then no more: 5 starts within 10.0 s", "the fault went off at 3.0 s: it would have stayed down"}},
		{"a longer pause lets it come back", u(Systemd{Restart: "on-failure", RestartSec: ref(sec(5))}), lifted(exitAt(0.2, 3), 3), Exited, []string{"is that at 5.2 s"}},
		{"no limit", u(Systemd{Restart: "on-failure", StartLimitIntervalSec: ref(sec(0))}), lifted(exitAt(0.2, 3), 3), Exited, []string{"is that at 3.0 s"}},
		{"a burst of its own", u(Systemd{Restart: "always", StartLimitBurst: ref(2)}), exitAt(0.2, 0), Exited, []string{"restarts at 0.3 s, then no more: 2 starts"}},
		{"not at all by itself", u(Systemd{}), exitAt(0.2, 3), Exited, []string{"systemd: Restart=no"}},
	})
	for restart, yes := range map[string]string{ // the table of Restart= in systemd.service(5), and service_shall_restart for protocol
		"no": "", "always": "success exit-code signal timeout protocol", "on-success": "success", "on-failure": "exit-code signal timeout protocol",
		"on-abnormal": "signal timeout protocol", "on-abort": "signal", "on-watchdog": "",
	} {
		for _, result := range []string{success, exitCode, signal, timeout, protocol} {
			assert.Equal(t, slices.Contains(strings.Fields(yes), result), Systemd{Restart: restart}.restartsAfter(result), "%s after %s", restart, result)
		}
	}
}

// systemd.service(5): the signals that end a service well, and that a notify service must not end before READY=1.
func TestSystemdResults(t *testing.T) {
	exit := func(code int, signal string) Start {
		return Start{EndMS: 200, Exit: &Exit{AtMS: 200, Code: code, Signal: signal, Bad: code != 0 || signal != ""}}
	}
	said := exit(0, "")
	said.Answers = map[string][]Span{SdNotify: {{100, 200}}}
	for name, c := range map[string]struct {
		kind   string
		start  Start
		result string
	}{
		"a code":                  {"", exit(3, ""), exitCode},
		"no code":                 {"", exit(0, ""), success},
		"a clean signal":          {"", exit(0, "SIGTERM"), success},
		"another clean signal":    {"exec", exit(0, "SIGPIPE"), success},
		"an unclean signal":       {"", exit(0, "SIGSEGV"), signal},
		"SIGKILL":                 {"notify", exit(0, "SIGKILL"), signal},
		"a signal ends a job":     {"oneshot", exit(0, "SIGTERM"), signal},
		"before READY=1":          {"notify", exit(0, ""), protocol},
		"by a signal before it":   {"notify-reload", exit(0, "SIGHUP"), protocol},
		"after it":                {"notify", said, success},
		"by a code before it":     {"notify", exit(1, ""), exitCode},
		"a READY=1 not asked for": {"", exit(0, ""), success},
	} {
		assert.Equal(t, c.result, Systemd{Type: c.kind}.result(c.start), name)
	}
	u := func(u Systemd) Orchestrator { return Orchestrator{Systemd: &u} }
	runFates(t, []fateCase{
		{"it ended too soon", u(Systemd{Type: "notify", Restart: "on-failure"}), exit(0, ""), Exited, []string{"at 0.2 s before it said that it was ready; systemd: restarts at 0.3 s"}},
		{"a clean signal is no failure", u(Systemd{Restart: "on-failure"}), exit(0, "SIGTERM"), Exited, []string{"systemd: Restart=on-failure"}},
		{"a crash is abnormal", u(Systemd{Restart: "on-abnormal"}), exit(0, "SIGSEGV"), Exited, []string{"restarts at 0.3 s"}},
		{"a code is not", u(Systemd{Restart: "on-abnormal"}), exit(3, ""), Exited, []string{"systemd: Restart=on-abnormal"}},
	})
}

// systemd.service(5): with these types it waits for what a trial does not show, and for no longer than TimeoutStartSec.
func TestSystemdTypesThatWaitForSomethingElse(t *testing.T) {
	u := func(kind string) Orchestrator {
		return Orchestrator{Systemd: &Systemd{Type: kind, Restart: "on-failure"}}
	}
	runFates(t, []fateCase{
		{"forking", u("forking"), readyAt(5), Open, []string{"systemd waits with Type=forking until the process that it starts has ended", "(TimeoutStartSec=90.0 s)", "it was ready at 5.0 s"}},
		{"oneshot has no limit of its own", u("oneshot"), readyAt(5), Open, []string{"(TimeoutStartSec=infinity)"}},
		{"dbus", u("dbus"), never(100), Open, []string{"until the service has its name on the bus"}},
		{"the end of its first process is no end", u("forking"), exitAt(0.2, 0), Open, nil},
		{"a failure is one", u("forking"), exitAt(0.2, 3), Exited, []string{"restarts at 0.3 s"}},
		{"idle waits for nothing", u("idle"), never(100), Survives, nil},
	})
}

// systemd.service(5): "infinity" disables a limit where it is a timeout, and makes a pause or a window endless.
func TestSystemdInfinity(t *testing.T) {
	imported := func(text string) Orchestrator {
		u, mistake := ImportUnit([]byte("[Service]\nRestart=always\nType=notify\n" + text))
		assert.Nil(t, mistake)
		return Orchestrator{Systemd: u}
	}
	runFates(t, []fateCase{
		{"the burst counts for ever", imported("RestartSec=1h\n[Unit]\nStartLimitIntervalSec=infinity\n"), lifted(exitAt(1, 3), 72_000), Killed, []string{
			"then no more: 5 starts (StartLimitBurst, StartLimitIntervalSec=infinity)"}},
		{"no interval, no limit", imported("[Unit]\nStartLimitIntervalSec=0\n"), exitAt(1, 3), Exited, []string{"4.4 s, ..."}},
		{"no burst, no limit", imported("[Unit]\nStartLimitIntervalSec=infinity\nStartLimitBurst=0\n"), exitAt(1, 3), Exited, []string{"4.4 s, ..."}},
		{"a pause without end", imported("RestartSec=infinity\n"), lifted(exitAt(1, 3), 3), Killed, []string{"RestartSec=infinity (at 1.0 s)", "with a RestartSec that ends"}},
		{"no timeout", imported("TimeoutStartSec=infinity\n"), readyAt(5000), Survives, nil},
	})
}

// sd_notify(3): EXTEND_TIMEOUT_USEC= counts from when it is sent, and only beyond TimeoutStartSec.
func TestSystemdExtensions(t *testing.T) {
	u := Orchestrator{Systemd: &Systemd{Type: "notify", TimeoutStartSec: ref(sec(30))}}
	extends := func(at float64, each ...Extension) Start {
		s := readyAt(at)
		s.Extends = each
		return s
	}
	kept := extends(70, Extension{20_000, 25_000}, Extension{40_000, 40_000})
	runFates(t, []fateCase{
		{"in time", u, kept, Survives, []string{"(TimeoutStartSec=30.0 s, extended by EXTEND_TIMEOUT_USEC), it was ready at 70.0 s"}},
		{"not for long enough", u, extends(70, Extension{20_000, 25_000}), Killed, []string{"stopped it at 45.0 s (TimeoutStartSec, extended by EXTEND_TIMEOUT_USEC)"}},
		{"it shortens nothing", u, extends(29, Extension{1000, 1000}), Survives, []string{"(TimeoutStartSec=30.0 s), it was ready at 29.0 s"}},
		{"too late", u, extends(70, Extension{31_000, 60_000}), Killed, []string{"stopped it at 30.0 s (TimeoutStartSec)", "TimeoutStartSec=31s or more"}},
	})
	ms, ok := u.Needs(kept)
	assert.True(t, ok)
	assert.InDelta(t, 20_000, ms, 1e-9, "from its first extension on it looks after itself")
}

// An httpGet on a port that the trial does not know accuses nobody.
func TestKubernetesPorts(t *testing.T) {
	get := func(port string) *Probe { return &Probe{HTTPGet: &HTTPGet{Path: "/healthz", Port: port}} }
	admin := Kubernetes{StartupProbe: &Probe{}, LivenessProbe: get("9090"), ReadinessProbe: get("8080")}
	first := Kubernetes{StartupProbe: get("9090"), ReadinessProbe: get("8080")}
	for name, c := range map[string]struct {
		k     Kubernetes
		ready string // port of service.ready
		asked string
	}{
		"no port is that of service.ready":   {Kubernetes{LivenessProbe: get("")}, "20001", "livenessProbe"},
		"a single one is":                    {Kubernetes{LivenessProbe: get("9090")}, "20001", "livenessProbe"},
		"of several that of the readiness":   {admin, "20001", "readinessProbe"},
		"else that of the startup":           {Kubernetes{StartupProbe: get("8080"), LivenessProbe: get("9090")}, "20001", "startupProbe"},
		"one that is asked for what it is":   {admin, "9090", "livenessProbe"},
		"one that the container declares":    {Kubernetes{LivenessProbe: get("9090"), Ports: []string{"8080", "9090"}}, "8080", ""},
		"one that it does not declare":       {Kubernetes{LivenessProbe: get("9090"), Ports: []string{"8080"}}, "20001", ""},
		"a name that nobody declares":        {Kubernetes{LivenessProbe: get("web"), ReadinessProbe: get("8080")}, "", "readinessProbe"},
		"the same port with another path":    {Kubernetes{LivenessProbe: get("8080"), ReadinessProbe: get("8080")}, "20001", "livenessProbe readinessProbe"},
		"what is not asked over HTTP is not": {Kubernetes{LivenessProbe: &Probe{How: "exec"}}, "20001", ""},
	} {
		var asked []string
		for _, q := range (Orchestrator{Kubernetes: &c.k}).Questions(c.ready) {
			assert.Equal(t, "/healthz", q.Path)
			if q.Why == "" {
				asked = append(asked, q.Name)
			}
		}
		assert.Equal(t, c.asked, strings.Join(asked, " "), name)
	}
	unasked := func(s Start, name string) Start {
		s.Unasked = map[string]string{name: "the " + name + " asks port 9090"}
		return s
	}
	runFates(t, []fateCase{
		{"its livenessProbe is open", Orchestrator{Kubernetes: &admin}, unasked(readyAt(1), LivenessProbe), Open, []string{
			"Kubernetes may have killed it or not: the livenessProbe asks port 9090; it was ready at 1.0 s", "let service.ready ask the port that the livenessProbe asks"}},
		{"its startupProbe has killed it before", Orchestrator{Kubernetes: &admin}, unasked(readyAt(34.2), LivenessProbe), Killed, []string{"startupProbe: 3 failures x 10 s"}},
		{"its startupProbe is open", Orchestrator{Kubernetes: &first}, unasked(never(60), StartupProbe), Open, nil},
		{"it ends by itself", Orchestrator{Kubernetes: &first}, unasked(exitAt(60, 3), StartupProbe), Exited, nil},
		{"its readinessProbe kills nobody", Orchestrator{Kubernetes: &admin}, unasked(readyAt(1), ReadinessProbe), Survives, nil},
	})
	_, ok := Orchestrator{Kubernetes: &first}.Needs(readyAt(1))
	assert.False(t, ok, "service.ready does not stand for it")
}
