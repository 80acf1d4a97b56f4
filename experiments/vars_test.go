package experiments

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVariables(t *testing.T) {
	f := load(t, "variables", Options{})
	require.Equal(t, []string{"sh", "-c", "echo $${HOME} eu http://${redis}/"}, f.Service.Command, "what a trial replaces is left")
	require.Equal(t, "/root", f.Service.Env["HOME_DIR"])
	require.Equal(t, seconds(2), f.Service.Stop.Grace)
	require.Equal(t, "127.0.0.1:6379", f.Dependencies[0].Upstream)
	require.Equal(t, 2, f.Readiness[0].FailureThreshold)
	require.Equal(t, "1234", f.Readiness[0].Redis.Password, "a text that a variable made may look like a number")
	require.Equal(t, "in eu", f.Experiments[0].Name)
	require.Equal(t, 2, f.Experiments[0].Repeat)
	require.Equal(t, seconds(2), f.Experiments[0].Inject[0].For)
	require.Equal(t, seconds(2).D(), f.Experiments[0].Inject[0].Fault.Duration("delay"))
	require.Equal(t, []string{"eu", "t0ken"}, f.Masked)

	f = load(t, "variables", Options{
		Env:  env(map[string]string{"TOKEN": "a${b}", "REDIS": "10.0.0.1:1", "HOME": ""}),
		Vars: map[string]string{"region": "us ${redis}", "times": "3"},
	})
	require.Equal(t, "a$${b}", f.Service.Env["TOKEN"], "values of the environment are data")
	require.Equal(t, "10.0.0.1:1", f.Dependencies[0].Upstream)
	require.Equal(t, "/root", f.Service.Env["HOME_DIR"], "set but empty takes the default")
	require.Equal(t, 3, f.Experiments[0].Repeat)
	require.Equal(t, "in us ${redis}", f.Experiments[0].Name, "--var is data too")
	require.Equal(t, []string{"a${b}", "us ${redis}"}, f.Masked)
}

func TestUnusedVar(t *testing.T) {
	_, err := Load("testdata/good/variables.yaml", Options{Vars: map[string]string{"regoin": "x"}})
	require.ErrorContains(t, err, "--var regoin: the file has no ${var.regoin}")
	require.ErrorContains(t, err, "did you mean `region`?")
}

func TestProblemsAreMasked(t *testing.T) {
	text := `version: 1
secrets: [TOKEN]
service: {command: [./app], budget: "${env.TOKEN}", env: {URL: "postgres://app:hunter2@db/${x}"}}
experiments: [{name: one, expect: wait}]
`
	_, err := LoadBytes("x.yaml", []byte(text), Options{Env: env(map[string]string{"TOKEN": "s3cret-value"})})
	require.ErrorContains(t, err, `"***" is not a duration`)
	require.NotContains(t, err.Error(), "s3cret-value")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][]piece{
		"":                        nil,
		"plain $ {x}":             {{"plain $ {x}", false}},
		"${a}":                    {{"a", true}},
		"x${a}${b.c}y":            {{"x", false}, {"a", true}, {"b.c", true}, {"y", false}},
		"$${a} ${b}":              {{"$${a} ", false}, {"b", true}},
		"$$${a}":                  {{"$$${a}", false}},
		"${env.A:-http://${b}/}/": {{"env.A:-http://${b}/", true}, {"/", false}},
		`{"a": "${b}"}`:           {{`{"a": "`, false}, {"b", true}, {`"}`, false}},
	} {
		got, closed := split(text)
		require.True(t, closed, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"${", "a ${b", "${a${b}"} {
		_, closed := split(text)
		require.False(t, closed, text)
	}
}
