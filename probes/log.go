package probes

import (
	"context"
	"errors"
	"regexp"
)

func logKind() Kind {
	return Kind{
		Name:    "log",
		Doc:     "Some line of the service's output (ANSI sequences stripped) matches a regular expression.",
		Example: "log: 'listening on .*:\\d+'",
		used:    func(s Spec) bool { return s.Log != "" },
		build:   func(s Spec, e Env) (attempt, error) { return buildLog(s.Log, e) },
	}
}

func buildLog(pattern string, e Env) (attempt, error) {
	re, err := compile("log", pattern)
	if e.Log == nil {
		err = errors.Join(err, errors.New("there is no service whose output could be read here"))
	}
	if err != nil {
		return attempt{}, err
	}
	return attempt{ask: func(context.Context) (Answer, error) {
		line, ok := e.Log(re)
		if !ok {
			return Answer{}, expected("log", "a line that matches "+pattern, "none")
		}
		return Answer{Body: line}, nil
	}}, nil
}

// compile is regexp.Compile with an error that names the field. An empty pattern is nil.
func compile(field, pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, errors.New(field + ": " + err.Error())
	}
	return re, nil
}
