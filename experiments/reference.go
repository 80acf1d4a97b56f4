package experiments

import (
	"fmt"
	"strings"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/timeline"
)

// Reference returns the reference of the language in Markdown, made from Fields and the catalogue of faults: docs/language.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, s := range sections() {
		writeSection(&b, s)
	}
	b.WriteString("## Faults\n\nA bare name takes the defaults, one value is the first parameter: `{latency: 3s}` is `{latency: {delay: 3s}}`.\n\n")
	for _, k := range faults.Builtin() {
		writeFault(&b, k)
	}
	fmt.Fprintf(&b, "Part of the language but not played by this version: `%s`.\n", strings.Join(notYet(), "`, `"))
	return b.String()
}

// notYet lists the reserved faults that the catalogue lacks.
func notYet() []string {
	var out []string
	for _, name := range reservedFaults {
		if _, ok := faults.Lookup(name); !ok {
			out = append(out, name)
		}
	}
	return out
}

func writeSection(b *strings.Builder, s section) {
	fmt.Fprintf(b, "## `%s`\n\n%s\n\n", s.name, s.doc)
	if len(s.fields) > 0 {
		b.WriteString("| field | type | default | meaning | example |\n|---|---|---|---|---|\n")
	}
	for _, e := range s.fields {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s%s | `%s` |\n", e.name, typeName(s.of, e), defaultWords(e), cellEscape(e.doc), enumWords(e),
			cellEscape(e.name+": "+e.example))
	}
	if len(s.fields) > 0 {
		b.WriteString("\n")
	}
	if len(s.reserved) > 0 {
		fmt.Fprintf(b, "Part of the language but not played by this version: `%s`.\n\n", strings.Join(s.reserved, "`, `"))
	}
}

func defaultWords(e entry) string {
	switch {
	case e.def == required:
		return "**required**"
	case e.def == "":
		return ""
	case strings.HasPrefix(e.def, "("):
		return strings.Trim(e.def, "()")
	}
	return "`" + cellEscape(e.def) + "`"
}

func enumWords(e entry) string {
	var out string
	if len(e.enum) > 1 {
		out = " One of `" + strings.Join(e.enum, "`, `") + "`."
	}
	if e.min != nil && e.max != nil && *e.min != *e.max {
		out += fmt.Sprintf(" From %g to %.0f.", *e.min, *e.max)
	}
	return out
}

// cellEscape keeps a text within its cell of a Markdown table.
func cellEscape(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "|", `\|`), "\n", " ")
}

func writeFault(b *strings.Builder, k faults.Kind) {
	fmt.Fprintf(b, "### `%s`\n\n%s\n\nThe client meets: %s\n\n```yaml\n%s\n```\n\n", k.Name, k.Doc, k.Client, strings.TrimSpace(k.Example))
	if len(k.Params) == 0 {
		return
	}
	b.WriteString("| parameter | type | default | meaning |\n|---|---|---|---|\n")
	for _, p := range k.Params {
		kind := string(p.Type)
		if len(p.Enum) > 0 {
			kind = "`" + strings.Join(p.Enum, "`, `") + "`"
		}
		if p.Unit != "" {
			kind += ", " + p.Unit
		}
		doc := p.Doc
		if limits := p.Range(); limits != "" {
			doc += " (" + limits + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s | `%s` | %s |\n", p.Name, kind, defaultOf(p), cellEscape(doc))
	}
	b.WriteString("\n")
}

const referenceHead = `# The experiment language

<!-- Generated from the field table of package experiments: make docs -->

One YAML file describes a service, what it depends on, its startup phases, what *ready* must mean, and the experiments. A mistake is
answered with file:line:column, the line, what was expected and the nearest known name; all mistakes at once, exit code 2, nothing started.
` + "`chaos schema`" + ` writes the JSON Schema of the same language for editors.

## Variables

Variables stand in values, never in keys. ` + "`$${`" + ` is a literal ` + "`${`" + `. Inside ` + "`[ ]` and `{ }`" + ` YAML wants them in quotes.

| variable | known | value |
|---|---|---|
| ` + "`${env.NAME}`, `${env.NAME:-default}`" + ` | at load | the caller's environment; unset without default is a mistake. The value is data: a ` + "`${`" + ` in it is not read again |
| ` + "`${var.NAME}`, `${var.NAME:-default}`" + ` | at load | ` + "`--var NAME=VALUE`, or `vars` of the file" + ` |
| ` + "`${AXIS}`" + ` | per cell | the value of a matrix axis, of any type when it stands alone: also ` + "`{latency: 3s}`" + ` |
| ` + "`${DEP}`, `${DEP.host}`, `${DEP.port}`" + ` | per trial | the proxy of a dependency (for probes: the dependency itself, past the proxy) |
| ` + "`${DEP.upstream}`, `${DEP.upstream_host}`, `${DEP.upstream_port}`" + ` | per trial | the real address |
| ` + "`${DEP.database}`, `${DEP.user}`, `${DEP.password}`" + ` | per trial | of a throwaway ` + "`server`" + `, one database for each trial |
| ` + "`${port.NAME}`" + ` | per trial | a free port, the same wherever the name is used |
| ` + "`${file.NAME}`" + ` | per trial | path of a file under ` + "`service.files`" + ` |
| ` + "`${bin}`, `${dir}`, `${trial}`, `${seed}`" + ` | per trial | the folder of the build, the trial's own folder, its name and its seed |

Variables of a trial can be used in ` + "`service`, `readiness`" + ` and the polled ` + "`http`" + ` of a phase; in ` + "`service.build`" + ` only ` + "`${bin}`" + `; in ` + "`command`, `env` and `ready`" + ` of a
dependency its own address (` + "`${dep}`, `${dep.host}`, `${dep.port}`, or its name" + `), ` + "`${bin}` and `${dir}`" + `. Everywhere else only ` + "`env`, `var`" + ` and axes are replaced.

Values of the variables named under ` + "`secrets`" + `, passwords inside URLs (` + "`scheme://user:PASSWORD@host`" + `) and ` + "`password=...`" + ` of connection strings are masked in every
message, log and report.

## Trials

A trial is one run of the service under one cell of one experiment. Its title is ` + "`NAME [dep=postgres, phase=cache] #2`" + `, the parts only when there are any;
` + "`--only`" + ` is matched against it and against the experiment's name. Experiments run in the order of the file, cells in the alphabetical order of their axes and the
written order of values (the last axis runs fastest), then repeats. Before the first trial of each distinct way to start the service, and again before every 20th,
comes a control trial without a fault. Every random choice of a trial comes from its seed, which depends on the run's seed, the experiment's name, the cell and the number of
the repeat, not on order or on what else is run.

`

// defaultOf writes the default of a fault's parameter as a file would.
func defaultOf(p faults.Param) string {
	if d, ok := p.Default.(timeline.Duration); ok {
		return short(d)
	}
	return fmt.Sprint(p.Default)
}
