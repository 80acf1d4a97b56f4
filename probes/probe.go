// Package probes asks a running service or a dependency whether it can do something, one file per kind of probe.
//
// A probe is one bounded attempt that returns an error saying what was expected and what came. It opens fresh connections and
// closes them, never retries, keeps no state between attempts, follows no redirect, obeys no proxy variable and never judges;
// Poll adds Kubernetes' timing words. Its errors are short and hold no password.
package probes

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Answer is what was answered to one attempt.
type Answer struct {
	Status int    // HTTP status (also of a WebSocket upgrade), gRPC code or exit code; 0 where there is none
	Body   string // body, reply, first column, messages, output or log line; at most 64 KiB
}

// maxAnswer bounds Answer.Body, maxRead what is read and searched of one answer.
const (
	maxAnswer = 64 << 10
	maxRead   = 1 << 20
)

// Env is what probes need besides their Spec.
type Env struct {
	// Log answers a log probe: the first line of the service's output that matches. nil: log probes are an error of the spec.
	Log     func(re *regexp.Regexp) (line string, ok bool)
	Dir     string   // the folder in which exec runs; "" is the present one
	Environ []string // the whole environment of exec, as KEY=VALUE; nil is an empty one
}

// Probe is one bounded attempt. It returns nil when everything held, otherwise what was expected and what came. The answer is
// filled in as far as something came, also with an error. A Probe may be called by several goroutines at a time.
type Probe func(ctx context.Context) (Answer, error)

// Kind is one kind of probe: its name in the language, what it does, and an example in YAML (the fields of Spec); Also are further ones.
type Kind struct {
	Name, Doc, Example string
	Also               []string

	used  func(s Spec) bool
	build func(s Spec, e Env) (attempt, error)
}

// attempt is a probe before New bounds it: what it leaves to do is the asking and the comparing.
type attempt struct {
	ask     Probe
	secrets []string // never shown in an error
}

// Builtin lists every kind of probe, in the order of the documentation.
func Builtin() []Kind {
	return []Kind{tcpKind(), httpKind(), grpcKind(), sqlKind(), redisKind(), webSocketKind(), execKind(), logKind(),
		clickHouseKind(), metricsKind(), jwtKind()}
}

// Kind names the kind of probe that s declares. An error says that it declares none or several.
func (s Spec) Kind() (string, error) {
	k, err := s.kind()
	return k.Name, err
}

func (s Spec) kind() (Kind, error) {
	var all, used []string
	var found Kind
	for _, k := range Builtin() {
		all = append(all, k.Name)
		if k.used(s) {
			used, found = append(used, k.Name), k
		}
	}
	switch len(used) {
	case 1:
		return found, nil
	case 0:
		return Kind{}, fmt.Errorf("probe: no kind is named; expected one of %s", strings.Join(all, ", "))
	default:
		return Kind{}, fmt.Errorf("probe: %s are several kinds; expected exactly one (chain them by then:)", strings.Join(used, " and "))
	}
}

// New makes the probe that s declares, and the ones chained to it by then. No variable may be left in s but ${unique} and
// ${captured.NAME}, which each attempt fills in. An error is about s: nothing is opened or run. The answer of a chain is that of its
// first probe, or of the one that failed.
func New(s Spec, e Env) (Probe, error) {
	l, err := newLink(s, e, nil)
	if err != nil {
		return nil, err
	}
	return l.begin, nil
}

// single makes the probe that s declares, without what is chained to it. The secrets are hidden besides those of s.
func single(s Spec, e Env, secrets []string) (Probe, error) {
	k, err := s.kind()
	if err != nil {
		return nil, err
	}
	a, err := k.build(s, e)
	if err = errors.Join(s.checkTiming(), err); err != nil {
		return nil, fmt.Errorf("%s probe: %w", k.Name, err)
	}
	a.secrets = append(a.secrets, secrets...)
	if s.CA != "" {
		a.ask = trusting(a.ask, s.CA, e.Dir)
	}
	if s.Parallel > 1 {
		a.ask = together(a.ask, s.Parallel)
	}
	return a.bounded(s.Timing()), nil
}

// bounded limits an attempt in time and keeps its answer short and its secrets secret.
func (a attempt) bounded(t Timing) Probe {
	return func(ctx context.Context) (Answer, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, t.Timeout, noAnswer{t.Timeout})
		defer cancel()
		got, err := a.ask(ctx)
		got.Body = got.Body[:min(len(got.Body), maxAnswer)]
		if err != nil {
			return got, hide(err, a.secrets)
		}
		return got, nil
	}
}
