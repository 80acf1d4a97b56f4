package experiments

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

func TestRender(t *testing.T) {
	f := load(t, "full", Options{})
	p := expand(t, f, Selection{})
	values := Values(map[string]string{
		"postgres": "127.0.0.1:1000", "redis.host": "127.0.0.1", "redis.port": "1001", "port.http": "8080", "bin": "/b", "llm": "x:1",
		"llm.port": "1", "postgres.upstream": "db:5432",
	})
	trial := p.Trials[1]
	got, err := Render(trial, values)
	require.NoError(t, err)
	require.Equal(t, "postgres://app@127.0.0.1:1000/app?sslmode=disable", got.Service.Env["DATABASE_URL"])
	require.Equal(t, []string{"/b/smd"}, got.Service.Command)
	require.Equal(t, "http://127.0.0.1:8080/health/ready", got.Service.Ready.HTTP.URL)
	require.Equal(t, "postgres://app@db:5432/app", got.Readiness[1].Then.SQL.DSN)
	require.Equal(t, 1, got.Readiness[1].Then.SQL.Expect)
	require.Equal(t, trial.Service.Budget, got.Service.Budget)
	require.Equal(t, trial.Inject[0].Fault, got.Inject[0].Fault)

	require.Equal(t, "${port.http}", trial.Service.Env["PORT"], "the original is untouched")
	got.Service.Env["PORT"] = "changed"
	got.Readiness[0].WebSocket.Expect[0] = "changed"
	require.Equal(t, "agent_started", trial.Readiness[0].WebSocket.Expect[0], "nothing is shared")
}

func TestRenderValues(t *testing.T) {
	type inner struct{ Any any }
	type outer struct {
		Map   map[string][]string
		Inner *inner
		For   timeline.Duration
		kept  string
	}
	in := outer{Map: map[string][]string{"a": {"$${x} ${x}"}}, Inner: &inner{Any: map[string]any{"k": []any{"${x}", 3, true, seconds(1)}}}, For: seconds(2), kept: "${x}"}
	got, err := Render(in, Values(map[string]string{"x": "${y}"}))
	require.NoError(t, err)
	require.Equal(t, outer{
		Map:   map[string][]string{"a": {"${x} ${y}"}},
		Inner: &inner{Any: map[string]any{"k": []any{"${y}", 3, true, seconds(1)}}}, For: seconds(2), kept: "${x}",
	}, got, "values are not read again, unexported fields are kept")

	text, err := Render("a ${x}", Values(map[string]string{"x": "b"}))
	require.NoError(t, err)
	require.Equal(t, "a b", text)
	var none any
	_, err = Render(none, Values(nil))
	require.NoError(t, err)
}

func TestRenderErrors(t *testing.T) {
	_, err := Render(Service{Env: map[string]string{"A": "${postgers}"}, Command: []string{"ok", "${"}}, Values(map[string]string{"postgres": "x"}))
	require.ErrorContains(t, err, "render Service.Env[A]: unknown variable ${postgers}: did you mean `postgres`?")
	require.ErrorContains(t, err, "render Service.Command[1]: a ${ has no }")
}
