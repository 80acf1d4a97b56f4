package runner

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/timeline"
)

// secretName is what variables are called whose values nobody may see.
var secretName = regexp.MustCompile(`(?i)(^|_)(PASSWORD|PASSWD|PWD|PASSPHRASE|SECRET|SECRET_KEY|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?)$`)

// A secret that is shorter, or is one of the words that the service uses anyhow, proves nothing where it stands alone.
const distinctive = 6

// secret is something that the service was given and must not say.
type secret struct {
	name  string // in words: "DATABASE_PASSWORD", "the password in DATABASE_URL"
	value string
	forms []string // how it would be seen in a log
	met   int
}

// secrets lists what the service was given: the values of the file's `secrets`, those of variables with the name of a secret, and the
// passwords inside other variables.
func (t *trial) secrets() []*secret {
	env := map[string]string{}
	for _, name := range t.service.Inherit {
		if v, ok := t.suite.o.LookupEnv(name); ok {
			env[name] = v
		}
	}
	maps.Copy(env, t.service.Env)
	words := t.plainWords()
	var out []*secret
	add := func(name, value string) {
		known := func(s *secret) bool { return s.value == value }
		if value != "" && value != "***" && !slices.ContainsFunc(out, known) {
			out = append(out, &secret{name: name, value: value, forms: formsOf(value, words)})
		}
	}
	for _, s := range t.suite.plan.File.Named {
		add(s.Name, s.Value)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if slices.Contains(t.suite.plan.File.Secrets, name) || secretName.MatchString(name) && !strings.Contains(env[name], "://") {
			add(name, env[name])
		}
		for _, password := range experiments.Passwords(env[name]) {
			add("the password in "+name, password)
		}
	}
	return out
}

// plainWords are what a log may say although a password is the same word.
func (t *trial) plainWords() []string {
	words := []string{"password", "secret", "postgres", "default", "localhost", t.service.Name}
	for _, d := range t.plan.Dependencies {
		words = append(words, d.Name, d.Server, d.Protocol)
		if d := t.dependency(d.Name); d != nil && d.namespace != nil {
			words = append(words, d.namespace.Vars["user"], d.namespace.Vars["database"])
		}
	}
	return words
}

// formsOf returns how a value would be seen; one that is no more than a word only where it stands for a password.
func formsOf(value string, words []string) []string {
	plain := func(word string) bool { return strings.EqualFold(word, value) }
	if len(value) >= distinctive && !slices.ContainsFunc(words, plain) {
		return experiments.Forms(value)
	}
	return []string{":" + value + "@", "password=" + value, "PASSWORD=" + value}
}

// mask hides secrets in a text. The resolver asks for it while they are still being learnt.
func (t *trial) mask(text string) string { return (*t.hides.Load())(text) }

// learnSecrets makes the trial's mask hide them, and the keeper of the log look for them where an invariant asks for it.
func (t *trial) learnSecrets() {
	all := t.secrets()
	values := slices.Clone(t.suite.plan.File.Masked)
	for _, s := range all {
		if slices.Contains(s.forms, s.value) {
			values = append(values, s.value)
		}
	}
	mask := experiments.Mask(values)
	t.hides.Store(&mask)
	if !t.spec.Invariants.NoSecretsInLogs {
		return
	}
	t.keeper.secrets = all
	if len(all) == 0 {
		t.noSecret = true
	}
}

// tellSecrets says at the start when there is nothing to look for.
func (t *trial) tellSecrets() {
	if t.noSecret {
		t.recorder.Add(timeline.Event{
			Kind: timeline.MissingEvidence, Source: "secrets",
			Text: fmt.Sprintf("%s was given no secret: name the variables that hold one under `secrets`", t.service.Name),
		})
	}
}

// gives returns the names of the secrets in a line, but of each only so often.
func (k *logKeeper) gives(raw string) (names []string) {
	for _, s := range k.secrets {
		if s.met < keepMatched && slices.ContainsFunc(s.forms, func(form string) bool { return strings.Contains(raw, form) }) {
			s.met++
			names = append(names, s.name)
		}
	}
	return names
}
