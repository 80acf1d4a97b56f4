package experiments

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// Starter is what Start writes a first file from.
type Starter struct {
	Name    string   // of the service; default "my-service"
	Command string   // how it is started, as one would type it; default "./my-service"
	Ready   string   // path of its ready endpoint; default "/health/ready"
	Needs   []string // its dependencies: postgres, redis, clickhouse, nats, or NAME=host:port of one that exists; default postgres

	Checklist bool // with the checklist to begin with; what the experiments of the file cover is filled in
}

// starterNeed is one dependency of a Starter.
type starterNeed struct{ Name, Protocol, Server, Upstream string }

// Text returns a commented experiments.yaml for the service: every dependency refused, slow, silent and coming back. It is valid as it is;
// only the command, the environment's names and the proof of readiness have to fit the service. The error names a need that can't be understood.
func (s Starter) Text() (string, error) {
	if s.Name == "" {
		s.Name = "my-service"
	}
	if s.Command == "" {
		s.Command = "./" + s.Name
	}
	if s.Ready == "" {
		s.Ready = "/health/ready"
	}
	if len(s.Needs) == 0 {
		s.Needs = []string{"postgres"}
	}
	if !strings.HasPrefix(s.Ready, "/") || strings.ContainsAny(s.Ready, "\"'\\ \t\n") {
		return "", fmt.Errorf("--ready %s: expected a path that begins with /, such as /health/ready", s.Ready)
	}
	var needs []starterNeed
	for _, text := range s.Needs {
		need, err := parseNeed(text)
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(needs, func(n starterNeed) bool { return n.Name == need.Name }) {
			return "", fmt.Errorf("--needs %s: it is named twice", need.Name)
		}
		needs = append(needs, need)
	}
	var out strings.Builder
	err := starter.Execute(&out, struct {
		Starter
		List []starterNeed
	}{s, needs})
	if err != nil {
		return "", fmt.Errorf("write the starter file: %w", err)
	}
	if s.Checklist {
		out.WriteString(checklistText(true))
	}
	return out.String(), nil
}

func parseNeed(text string) (starterNeed, error) {
	name, upstream, given := strings.Cut(text, "=")
	host, _, err := net.SplitHostPort(upstream)
	switch {
	case given && name != "" && err == nil && host != "":
		return starterNeed{Name: name, Protocol: "tcp", Upstream: upstream}, nil
	case text == "postgres" || text == "redis" || text == "clickhouse" || text == "nats":
		protocol := map[string]string{"postgres": "postgres", "redis": "redis", "clickhouse": "http", "nats": "tcp"}[text]
		return starterNeed{Name: text, Protocol: protocol, Server: text}, nil
	}
	return starterNeed{}, fmt.Errorf("--needs %s: expected postgres, redis, clickhouse, nats, or NAME=host:port of a dependency that exists", text)
}

// variable is the name of an environment variable for a dependency.
func variable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 'A' || r > 'Z' {
			return '_'
		}
		return r
	}, strings.ToUpper(name))
}

// scalar quotes a text for YAML when it has more than words.
func scalar(text string) string {
	if regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`).MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

var starter = template.Must(template.New("starter").Funcs(template.FuncMap{"variable": variable, "scalar": scalar}).Parse(`# yaml-language-server: $schema=./experiments.schema.json
# Made by chaos init. Check it with: chaos validate      See what would run with: chaos plan
version: 1

service:
  name: {{scalar .Name}}
  # As you would type it, but there is no shell: write ${port.http} and not $PORT.
  command: {{scalar .Command}}
  # Its whole environment besides PATH, HOME, LANG, TZ, TMPDIR.
  env:
    PORT: ${port.http}                       # a free port, one for each trial
{{- range .List}}
{{- if eq .Server "postgres"}}
    DATABASE_URL: postgres://${{"{"}}{{.Name}}.user}:${{"{"}}{{.Name}}.password}@${{"{"}}{{.Name}}}/${{"{"}}{{.Name}}.database}?sslmode=disable
{{- else if eq .Server "redis"}}
    REDIS_URL: redis://${{"{"}}{{.Name}}}/${{"{"}}{{.Name}}.database}
{{- else}}
    {{variable .Name}}_ADDRESS: ${{"{"}}{{.Name}}}
{{- end}}
{{- end}}
    # ${{"{"}}{{(index .List 0).Name}}} is host:port of a proxy: whatever reaches the dependency in another way meets no fault.
  ready:                                     # the service's own claim to be ready
    http: {url: "http://127.0.0.1:${port.http}{{.Ready}}", status: 200}
  budget: 30s                                # not ready and still alive after this: it hung
  stop: {signal: SIGTERM, grace: 5s}

dependencies:
{{- range .List}}
  {{.Name}}:
    protocol: {{.Protocol}}
{{- if .Server}}
    server: {{printf "%-34s" .Server}} # a throwaway one of each run; or one that exists: upstream: host:port
{{- else}}
    upstream: {{.Upstream}}
{{- end}}
{{- end}}

# Name the phases of your startup and faults hit them exactly: {on: {{(index .List 0).Name}}, during: database, fault: refuse}
# phases:
#   pattern: 'PHASE (?P<phase>\w+) begins'   # a log line that names the phase which begins
#   order: [config, database, serving]

readiness:                                   # what ready must MEAN: prove that it can do its work
  # EDIT THIS: the proof below asks only what service.ready asks, so it finds no lie: chaos warns, and no_false_ready shows nothing.
  # Put in its place a request that the service can't answer without {{(index .List 0).Name}}, such as:
  # - name: an order is stored
  #   needs: [{{(index .List 0).Name}}]
  #   http: {method: POST, url: "http://127.0.0.1:${port.http}/orders", body: '{"n": 1}', status: 201}
  - name: it answers
    http: {url: "http://127.0.0.1:${port.http}{{.Ready}}", status: 200}

contracts:
  fails-fast: {fail_fast: {within: 10s, exit_code: nonzero}}
  recovers: {recover: {within: 15s}}

invariants: [no_false_ready, startup_budget, stops_on_signal]

experiments:
{{- range .List}}
  - name: {{.Name}} refuses connections from the start
    inject: [{on: {{.Name}}, from: start, fault: refuse}]
    expect: fails-fast
  - name: {{.Name}} comes back after 3 s
    inject: [{on: {{.Name}}, from: start, for: 3s, fault: refuse}]
    expect: {any_of: [fails-fast, recovers]}
  - name: {{.Name}} is slow
    inject: [{on: {{.Name}}, from: start, fault: {latency: 200ms}}]
    expect: tolerate
  - name: {{.Name}} accepts and never answers
    inject: [{on: {{.Name}}, from: start, fault: blackhole}]
    expect: fails-fast
{{- end}}
`))
