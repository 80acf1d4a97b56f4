package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/faults.md instead of comparing it")

// TestDocs keeps docs/faults.md what the catalogue says.
func TestDocs(t *testing.T) {
	path, want := filepath.Join("..", "docs", "faults.md"), markdown()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err, "write it with: go test ./faults -run TestDocs -update")
	assert.Equal(t, want, string(got), "docs/faults.md is behind the catalogue; write it with: go test ./faults -run TestDocs -update")
}

const docsHead = `# Faults

<!-- Made from faults.Builtin() by: go test ./faults -run TestDocs -update -->

An entry of ` + "`inject:`" + ` names a dependency, a time and one fault. A bare name takes every default (` + "`fault: blackhole`" + `), one value sets
the first parameter (` + "`fault: {latency: 3s}`" + `), a mapping sets any of them (` + "`fault: {latency: {delay: 3s, jitter: 200ms}}`" + `).
"Open" connections are those that were there before the fault came on. Where a fault takes a ` + "`direction`" + `, ` + "`downstream`" + ` is what the
dependency answers and ` + "`upstream`" + ` what the service sends.

A fault has *bitten* when it did something: it turned a connection away, ended one, or treated bytes. ` + "`limit_data`" + ` and
` + "`reset: {bytes: N}`" + ` bite when they end a connection and ` + "`slow_close`" + ` when a stream ends, not while bytes merely pass. A trial whose fault never
bit is inconclusive, never a pass.

What clients see is a part of their own error text, met on a new connection with the fault's defaults unless the brackets say otherwise. Texts of net/http's answers
(http_error) are its status. "No error" is the answer, late or in pieces.

`

func markdown() string {
	var b strings.Builder
	b.WriteString(docsHead)
	b.WriteString("| fault | what the client meets |\n|---|---|\n")
	for _, k := range Builtin() {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", k.Name, k.Name, k.Client)
	}
	for _, k := range Builtin() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n**The client meets:** %s\n\n```yaml\ninject:\n  - %s\n```\n", k.Name, k.Doc, k.Client, k.Example)
		b.WriteString(seen(k))
		if len(k.Params) == 0 {
			b.WriteString("\nNo parameters.\n")
			continue
		}
		b.WriteString("\n| parameter | type | default | allowed | |\n|---|---|---|---|---|\n")
		for _, p := range k.Params {
			allowed := p.Range()
			if p.Type == TypeEnum {
				allowed = strings.Join(p.Enum, ", ")
			}
			kind := string(p.Type)
			if p.Unit != "" {
				kind += ", " + p.Unit
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", p.Name, kind, write(p.Default), allowed, p.Doc)
		}
	}
	return b.String()
}

// seen is the table of what known clients say.
func seen(k Kind) string {
	var b strings.Builder
	b.WriteString("\n| client | sees |\n|---|---|\n")
	for _, s := range k.Sees {
		text := "`" + s.Text + "`"
		if s.Text == NoError || s.Text == WaitsOn {
			text = s.Text
		}
		for _, or := range s.Or {
			text += " or `" + or + "`"
		}
		var when []string
		if s.With != "" {
			when = append(when, "`"+s.With+"`")
		}
		if s.Open {
			when = append(when, "open connection")
		}
		if s.Limit {
			when = append(when, "the client's time limit")
		}
		if len(when) > 0 {
			text += " (" + strings.Join(when, ", ") + ")"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", s.Client, text)
	}
	return b.String()
}
