package orchestrators

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

func example(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "examples", "smd", name)) // #nosec G304 -- a fixture
	require.NoError(t, err)
	return data
}

func TestImportKubernetes(t *testing.T) {
	k, mistake := ImportKubernetes(example(t, "k8s/deploy.yaml"), "smd", "")
	require.Nil(t, mistake)
	assert.Equal(t, &Kubernetes{
		Source:         "container smd of Deployment/smd",
		StartupProbe:   &Probe{PeriodSeconds: 1, FailureThreshold: 10, HTTPGet: &HTTPGet{Path: "/health/ready", Port: "8080"}},
		LivenessProbe:  &Probe{PeriodSeconds: 10, FailureThreshold: 3, HTTPGet: &HTTPGet{Path: "/health", Port: "8080"}},
		ReadinessProbe: &Probe{PeriodSeconds: 5, HTTPGet: &HTTPGet{Path: "/health/ready", Port: "8080"}}, TerminationGracePeriodSeconds: ref(5),
		Ports: []string{"8080"},
	}, k)
	shipper, mistake := ImportKubernetes(example(t, "k8s/deploy.yaml"), "log-shipper", "Deployment/smd")
	require.Nil(t, mistake)
	assert.Nil(t, shipper.StartupProbe)
	assert.Equal(t, []Question{{LivenessProbe, "/health", ""}, {ReadinessProbe, "/health/ready", ""}, {StartupProbe, "/health/ready", ""}},
		Orchestrator{Kubernetes: k}.Questions("20001"))
}

const (
	pod = "kind: Pod\nmetadata: {name: one}\nspec:\n  containers:\n    - name: app\n      startupProbe: {exec: {command: [true]}, periodSeconds: 2}\n"
	job = "kind: CronJob\nmetadata: {name: two}\nspec: {jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: app}]}}}}}\n"
)

func TestImportKubernetesForms(t *testing.T) {
	for name, c := range map[string]struct{ text, container, workload, source string }{
		"one container needs no name": {pod, "", "", "container app of Pod/one"},
		"several documents":           {"---\n" + pod + "---\n# nothing\n---\n" + job, "app", "two", "container app of CronJob/two"},
		"a list of objects":           {"kind: List\nitems:\n  - {kind: Pod, metadata: {name: x}, spec: {containers: [{name: app}]}}\n", "", "", "container app of Pod/x"},
		"a sidecar":                   {"kind: Pod\nmetadata: {name: x}\nspec:\n  containers: [{name: app}]\n  initContainers: [{name: proxy, restartPolicy: Always}, {name: once}]\n", "proxy", "", "container proxy of Pod/x"},
		"anchors and merges":          {"kind: Pod\nmetadata: {name: x}\nspec:\n  containers:\n    - &a {name: app, livenessProbe: &p {periodSeconds: 7}}\n    - {<<: *a, name: other, startupProbe: {<<: *p, failureThreshold: 4}}\n", "other", "", "container other of Pod/x"},
		"other kinds are passed over": {"kind: ConfigMap\ndata: {a: b}\n---\n" + pod, "", "", "container app of Pod/one"},
		"no value means no probe":     {"kind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: app, livenessProbe: }]}\n", "", "", "container app of Pod/x"},
	} {
		k, mistake := ImportKubernetes([]byte(c.text), c.container, c.workload)
		require.Nil(t, mistake, name)
		assert.Equal(t, c.source, k.Source, name)
	}
	k, _ := ImportKubernetes([]byte(pod), "", "")
	assert.Equal(t, &Probe{PeriodSeconds: 2, How: "exec"}, k.StartupProbe)
	k, _ = ImportKubernetes([]byte(`kind: Pod
spec:
  containers:
    - ports: [{containerPort: 8080}, {name: admin, containerPort: 9090}]
      livenessProbe: {httpGet: {path: /healthz, port: admin}}
      readinessProbe: {httpGet: {port: 8080}}
      startupProbe: {httpGet: {port: other}}
`), "", "")
	assert.Equal(t, []string{"9090", "8080", "other"}, []string{k.LivenessProbe.HTTPGet.Port, k.ReadinessProbe.HTTPGet.Port, k.StartupProbe.HTTPGet.Port})
	assert.Equal(t, []string{"8080", "9090"}, k.Ports)
}

func TestKubernetesMistakes(t *testing.T) {
	probe := func(fields string) string {
		return "kind: Pod\nspec:\n  containers:\n    - name: app\n      startupProbe: {" + fields + "}\n"
	}
	two := "kind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: app}, {name: side}]}\n"
	for _, c := range []struct{ text, container, workload, says string }{
		{"", "", "", "0:0 there is no container in it: expected a Pod, or"},
		{"kind: Service\n", "", "", "0:0 there is no container in it"},
		{two, "", "", "0:0 container: the manifest has several containers: expected `container`: one of app, side"},
		{two, "ap", "", "0:0 container: unknown container `ap`"},
		{two, "", "y", "0:0 workload: unknown workload `y`"},
		{pod + "---\n" + job, "app", "", "0:0 workload: several workloads have a container `app`: expected `workload`: one of CronJob/two, Pod/one"},
		{probe("periodSecond: 3"), "", "", "5:22 unknown field `periodSecond` in a startupProbe"},
		{probe("periodSeconds: ten"), "", "", "5:37 `periodSeconds` is not a whole number"},
		{probe("periodSeconds: -1"), "", "", "5:37 `periodSeconds` is out of range"},
		{probe("periodSeconds: 1.5"), "", "", "5:37 `periodSeconds` is not a whole number"},
		{probe("periodSeconds: '${PERIOD}'"), "", "", "5:37 `periodSeconds` is a variable"},
		{probe("successThreshold: 2"), "", "", "5:40 the successThreshold of a startupProbe must be 1"},
		{"kind: Pod\nspec: {restartPolicy: always, containers: [{name: app}]}\n", "", "", "2:23 unknown restartPolicy `always`"},
		{"kind: Pod\nspec: {containers: [{name: app, startupProbe: 5}]}\n", "", "", "2:47 `startupProbe` is not a mapping"},
		{"kind: {{ .Values.kind }}\nspec: [\n", "", "", "expected a rendered manifest: this looks like a template"},
		{"a: [\n", "", "", "not YAML"},
	} {
		k, mistake := ImportKubernetes([]byte(c.text), c.container, c.workload)
		require.NotNil(t, mistake, c.text)
		assert.Nil(t, k)
		assert.Contains(t, placed(mistake), c.says)
	}
}

// Of several mistakes it is always the same that is told.
func TestKubernetesFirstMistake(t *testing.T) {
	const two = "kind: Pod\nspec:\n  containers:\n    - livenessProbe: {periodSeconds: x}\n      startupProbe: {periodSeconds: y}\n"
	for range 20 {
		_, mistake := ImportKubernetes([]byte(two), "", "")
		require.NotNil(t, mistake)
		assert.Equal(t, 5, mistake.Line, "the startupProbe comes first")
	}
}

// placed is a mistake with its place.
func placed(m *Mistake) string {
	choice := ""
	if m.Choice != "" {
		choice = m.Choice + ": "
	}
	return fmt.Sprintf("%d:%d %s%s", m.Line, m.Column, choice, m.Error())
}

func TestImportCompose(t *testing.T) {
	c, mistake := ImportCompose(example(t, "compose.yaml"), "smd")
	require.Nil(t, mistake)
	assert.Equal(t, &Compose{Source: "service smd", Interval: sec(5), Timeout: sec(2), Retries: 3, StartPeriod: sec(10), StartInterval: sec(1), Restart: "unless-stopped",
		Path: "/health/ready"}, c)
	for text, want := range map[string]Compose{
		"services: {a: {image: x}}":                                                                 {NoHealthcheck: true},
		"services: {a: {restart: no, healthcheck: {disable: true}}}":                                {NoHealthcheck: true, Restart: "no"},
		"services: {a: {restart: 'on-failure:3', healthcheck: {test: NONE}}}":                       {NoHealthcheck: true, Restart: "on-failure:3"},
		"services: {a: {healthcheck: {test: [NONE]}}}":                                              {NoHealthcheck: true},
		"services: {a: {healthcheck: {test: curl -f http://localhost || exit 1, interval: 1m30s}}}": {Path: "/", Interval: sec(90)},
		"x-h: &h {retries: 7}\nservices: {a: {healthcheck: {<<: *h, x-note: 1}}}":                   {Retries: 7},
	} {
		c, mistake := ImportCompose([]byte(text), "")
		require.Nil(t, mistake, text)
		want.Source = "service a"
		assert.Equal(t, want, *c, text)
	}
	for text, says := range map[string]string{
		"services: {}":         "0:0 there is no service in it",
		"services: {a: , b: }": "0:0 service: the Compose file has several services: expected `service`: one of a, b",
		"services: {a: {healthcheck: {intervall: 3s}}}":    "1:30 unknown field `intervall` in a healthcheck",
		"services: {a: {healthcheck: {interval: 3}}}":      "1:40 `interval` is not a duration",
		"services: {a: {healthcheck: {interval: '${I}'}}}": "1:40 `interval` is a variable",
		"services: {a: {healthcheck: {retries: many}}}":    "1:39 `retries` is not a whole number",
		"services: {a: {healthcheck: often}}":              "1:29 `healthcheck` is not a mapping",
		"services: {a: {restart: sometimes}}":              "1:25 unknown restart policy `sometimes`",
		"services: {a: {extends: {service: b}}}":           "1:25 `extends` is not followed",
	} {
		_, mistake := ImportCompose([]byte(text), "")
		require.NotNil(t, mistake, text)
		assert.Contains(t, placed(mistake), says)
	}
	_, mistake = ImportCompose([]byte("services: {smd: {}, db: {}}"), "sdm")
	assert.Equal(t, []string{"smd", "db"}, mistake.Known)
}

func TestImportUnit(t *testing.T) {
	u, mistake := ImportUnit(example(t, "smd.service"))
	require.Nil(t, mistake)
	assert.Equal(t, &Systemd{Type: "exec", TimeoutStartSec: ref(sec(90)), Restart: "on-failure", RestartSec: ref(sec(0.1)), StartLimitBurst: ref(5),
		StartLimitIntervalSec: ref(sec(10))}, u)
	u, mistake = ImportUnit([]byte("[Service]\nRestartSec=infinity\nTimeoutStartSec=infinity\n[Unit]\nStartLimitIntervalSec=infinity\n"))
	require.Nil(t, mistake)
	assert.Equal(t, &Systemd{TimeoutStartSec: ref(sec(0)), RestartSec: ref(infinity), StartLimitIntervalSec: ref(infinity)}, u)
	for value, want := range map[string]float64{"90": 90, "1min 30s": 90, "1.5h": 5400, "500ms": 0.5, "infinity": 0, "2 m": 120, "1d": 86400} {
		u, mistake := ImportUnit([]byte("[Service]\nTimeoutStartSec = " + value + "\n"))
		require.Nil(t, mistake, value)
		assert.Equal(t, sec(want), *u.TimeoutStartSec, value)
	}
	u, mistake = ImportUnit([]byte("[Service]\nRestartSec=5\nRestartSec=\n; a comment\n"))
	require.Nil(t, mistake)
	assert.Nil(t, u.RestartSec, "an empty value is the default again")
	for text, says := range map[string]string{
		"[Unit]\nDescription=x\n":                   "0:0 it is not the unit of a service: expected a section [Service]",
		"[Service]\nnonsense\n":                     "2:1 not a line of a unit file",
		"Type=notify\n":                             "1:1 not a line of a unit file",
		"[Service]\nTimeoutStartSec=soon\n":         "2:17 TimeoutStartSec is not a time span",
		"[Service]\nTimeoutStartSec=99999999 w\n":   "2:17 TimeoutStartSec is not a time span",
		"[Service]\nTimeoutStartSec=5 fortnights\n": "2:17 TimeoutStartSec is not a time span",
		"[Service]\nRestart=allways\n":              "2:9 unknown value `allways` of Restart",
		"[Unit]\nStartLimitBurst=few\n":             "2:17 StartLimitBurst is not a whole number",
	} {
		_, mistake := ImportUnit([]byte(text))
		require.NotNil(t, mistake, text)
		assert.Contains(t, placed(mistake), says)
	}
}

// FuzzImport: whatever a file holds, an importer answers, with settings or with a mistake.
func FuzzImport(f *testing.F) {
	f.Add([]byte(pod))
	f.Add([]byte(job + "---\n" + pod))
	f.Add([]byte("services: {a: {healthcheck: {test: [CMD, x], interval: 5s}}}"))
	f.Add([]byte("[Service]\nRestartSec=1min 5s\\\n 3\n"))
	f.Add([]byte("a: &a {<<: *a}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, mistake := ImportKubernetes(data, "", "")
		if (k == nil) == (mistake == nil) {
			t.Fatal("neither settings nor a mistake, or both")
		}
		if k != nil {
			Orchestrator{Kubernetes: k}.Fate(readyAt(5))
		}
		if c, mistake := ImportCompose(data, ""); (c == nil) == (mistake == nil) {
			t.Fatal("neither settings nor a mistake, or both")
		}
		if u, mistake := ImportUnit(data); (u == nil) == (mistake == nil) {
			t.Fatal("neither settings nor a mistake, or both")
		}
	})
}

func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		who  Orchestrator
		ms   float64
		says string
	}{
		{Orchestrator{Kubernetes: &Kubernetes{StartupProbe: &Probe{}}}, 34_200, "startupProbe needs failureThreshold >= 5 with periodSeconds 10, and has 3"},
		{Orchestrator{Kubernetes: &Kubernetes{StartupProbe: &Probe{FailureThreshold: 30, PeriodSeconds: 5}}}, 12_000,
			"startupProbe: failureThreshold >= 4 with periodSeconds 5 is needed, and it is 30"},
		{Orchestrator{Kubernetes: &Kubernetes{LivenessProbe: &Probe{}}}, 34_200, "a startupProbe is needed, with failureThreshold >= 5"},
		{Orchestrator{Kubernetes: &Kubernetes{}}, 34_200, ""},
		{Orchestrator{Compose: &Compose{Interval: sec(5)}}, 34_200, "healthcheck needs start_period: 25s, and has 0 ms"},
		{Orchestrator{Compose: &Compose{}}, 75_000, "healthcheck: it is given 90.0 s, and 75.0 s is needed"},
		{Orchestrator{Compose: &Compose{}}, 91_000, "healthcheck needs start_period: 31s, and has 0 ms"},
		{Orchestrator{Compose: &Compose{StartPeriod: sec(7), StartInterval: sec(5), Interval: sec(10), Timeout: sec(5)}}, 29_000, ""},
		{Orchestrator{Compose: &Compose{StartPeriod: sec(40)}}, 34_200, "healthcheck: it is given 100.0 s, and 34.2 s is needed"},
		{Orchestrator{Systemd: &Systemd{Type: "notify"}}, 91_000, "the unit needs TimeoutStartSec=91s, and has 90.0 s"},
		{Orchestrator{Systemd: &Systemd{}}, 91_000, ""},
	} {
		assert.Equal(t, c.says != "", c.who.Advice(c.ms) != "")
		assert.Contains(t, c.who.Advice(c.ms), c.says)
	}
	// The start_period that is advised lets the start live.
	for at := 1.0; at < 200; at += 0.7 {
		c := Compose{Interval: sec(10), Timeout: sec(3), StartInterval: sec(4)}
		period, err := time.ParseDuration(whole(c.startPeriodFor(at * 1000)))
		require.NoError(t, err)
		c.StartPeriod = timeline.Duration(period)
		f, _ := Orchestrator{Compose: &c}.Fate(readyAt(at))
		assert.Equal(t, Survives, f.State, "%v: %s", at, f.Text)
	}
	// The advice is the smallest threshold that lets the start live wherever the ticks fall.
	for _, at := range []float64{0.5, 9.99, 10, 10.01, 34.2, 100} {
		p := Probe{}
		p.FailureThreshold = p.thresholdFor(at * 1000)
		f, _ := Orchestrator{Kubernetes: &Kubernetes{StartupProbe: &p}}.Fate(readyAt(at))
		assert.Equal(t, Survives, f.State, "%v: %s", at, f.Text)
		if p.FailureThreshold > 1 {
			p.FailureThreshold--
			f, _ = Orchestrator{Kubernetes: &Kubernetes{StartupProbe: &p}}.Fate(readyAt(at))
			assert.NotEqual(t, Survives, f.State, "%v: %s", at, f.Text)
		}
	}
}
