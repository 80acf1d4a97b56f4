package experiments

import (
	"reflect"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/orchestrators"
)

// orchestratorSections are the orchestrators in their own words.
func orchestratorSections() []section {
	return []section{orchestratorSection(), kubernetesSection(), kubernetesProbeSection(), httpGetSection(), composeSection(), systemdSection(), survivesSection()}
}

func orchestratorSection() section {
	return section{
		name: "orchestrator", title: "the orchestrator", of: reflect.TypeFor[Orchestrator](),
		doc: "Who starts the service in production: exactly one of these. No orchestrator is run: `survives_orchestrator` computes from each trial what it " +
			"would have done (docs/orchestrators.md).",
		fields: []entry{
			{name: "kubernetes", doc: "The probes of its container.", example: "{startupProbe: {periodSeconds: 10, failureThreshold: 6}}"},
			{name: "compose", doc: "Its healthcheck and restart policy in Docker Compose.", example: "{interval: 5s, retries: 3, start_period: 30s}"},
			{name: "systemd", doc: "The timing of its unit.", example: "{Type: notify, TimeoutStartSec: 30s, Restart: on-failure}"},
		},
	}
}

func kubernetesSection() section {
	return section{
		name: "orchestrator.kubernetes", title: "the settings of Kubernetes", of: reflect.TypeFor[KubernetesSettings](),
		doc: "A manifest (rendered: no template), or Kubernetes' own words.",
		fields: []entry{
			{name: "manifest", doc: "A file with one or more YAML documents, relative to this one.", example: "k8s/deploy.yaml"},
			{name: "container", def: "(the only one)", doc: "Which container of the manifest.", example: "smd"},
			{name: "workload", def: "(the only one that has it)", doc: "Which object of the manifest: NAME or KIND/NAME.", example: "Deployment/smd"},
			{name: "startupProbe", doc: "Until it holds, nothing else is asked; when it fails, the container is killed.", example: "{periodSeconds: 10, failureThreshold: 6}"},
			{name: "livenessProbe", doc: "When it fails, the container is killed.", example: "{periodSeconds: 10}"},
			{name: "readinessProbe", doc: "When it holds, the container gets traffic.", example: "{periodSeconds: 5}"},
			{name: "restartPolicy", def: "Always", enum: []string{"Always", "OnFailure", "Never"}, doc: "Whether it is started again.", example: "Always"},
			{name: "terminationGracePeriodSeconds", def: "(30)", min: bounds(0), max: bounds(86_400), doc: "How long it may take to end when it is killed.", example: "30"},
		},
	}
}

func kubernetesProbeSection() section {
	return section{
		name: "orchestrator.kubernetes.probe", title: "a probe of Kubernetes", of: reflect.TypeFor[orchestrators.Probe](),
		doc: "Kubernetes' own words and defaults. The probe of `service.ready` stands for it, unless `httpGet` names another path: that is then asked too.",
		fields: []entry{
			{name: "initialDelaySeconds", def: "0", min: bounds(0), max: bounds(86_400), doc: "It is not asked before.", example: "5"},
			{name: "periodSeconds", def: "10", min: bounds(1), max: bounds(86_400), doc: "How often it is asked.", example: "10"},
			{name: "timeoutSeconds", def: "1", min: bounds(1), max: bounds(86_400), doc: "An attempt that takes longer failed.", example: "1"},
			{name: "successThreshold", def: "1", min: bounds(1), max: bounds(1000), doc: "Attempts that must hold in a row; 1 but for a readinessProbe.", example: "1"},
			{name: "failureThreshold", def: "3", min: bounds(1), max: bounds(100_000), doc: "Attempts that must fail in a row.", example: "30"},
			{name: "httpGet", doc: "What it asks, on the address of `service.ready`. Of a manifest: only where that stands on its port.", example: "{path: /health/startup}"},
		},
	}
}

func httpGetSection() section {
	return section{
		name: "orchestrator.kubernetes.probe.httpGet", title: "an httpGet", of: reflect.TypeFor[orchestrators.HTTPGet](), doc: "It holds with a status from 200 to 399.",
		fields: []entry{{name: "path", def: "/", doc: "The path.", example: "/health/startup"}},
	}
}

func composeSection() section {
	return section{
		name: "orchestrator.compose", title: "the settings of Compose", of: reflect.TypeFor[ComposeSettings](),
		doc: "A Compose file, or the words of its healthcheck.",
		fields: []entry{
			{name: "file", doc: "A Compose file, relative to this one.", example: "compose.yaml"},
			{name: "service", def: "(the only one)", doc: "Which service of the file.", example: "smd"},
			{name: "interval", def: "(30s)", doc: "Time between checks; the first comes as long after the start.", example: "5s"},
			{name: "timeout", def: "(30s)", doc: "A check that takes longer failed.", example: "2s"},
			{name: "retries", def: "3", min: bounds(1), max: bounds(100_000), doc: "Checks that must fail in a row.", example: "3"},
			{name: "start_period", def: "(0s)", doc: "Checks that fail before this do not count.", example: "30s"},
			{name: "start_interval", def: "(5s)", doc: "Time between checks within the start period.", example: "1s"},
			{name: "restart", def: "(no)", doc: "no, always, unless-stopped, on-failure or on-failure:N.", example: "unless-stopped"},
		},
	}
}

func systemdSection() section {
	return section{
		name: "orchestrator.systemd", title: "the settings of systemd", of: reflect.TypeFor[SystemdSettings](),
		doc: "A unit file, or systemd's own words.",
		fields: []entry{
			{name: "unit", doc: "A unit file, relative to this one.", example: "smd.service"},
			{name: "Type", def: "(simple)", enum: []string{"simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"},
				doc: "systemd waits for READY=1 with notify and notify-reload. What it waits for with forking, oneshot and dbus is not seen.", example: "notify"},
			{name: "TimeoutStartSec", def: "(90s)", doc: "How long it waits; 0s is for ever.", example: "30s"},
			{name: "Restart", def: "(no)", enum: []string{"no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"},
				doc: "When it starts it again.", example: "on-failure"},
			{name: "RestartSec", def: "(100ms)", doc: "How long it waits before it does.", example: "1s"},
			{name: "StartLimitBurst", def: "(5)", min: bounds(0), max: bounds(100_000), doc: "Starts within StartLimitIntervalSec after which it gives up.", example: "5"},
			{name: "StartLimitIntervalSec", def: "(10s)", doc: "See StartLimitBurst; 0s means that it never gives up.", example: "10s"},
		},
	}
}

func survivesSection() section {
	return section{name: "expectation.survives_orchestrator", title: "survives_orchestrator", of: reflect.TypeFor[contracts.Survives](),
		doc: "It has no fields: `survives_orchestrator` or `survives_orchestrator: {}`."}
}
