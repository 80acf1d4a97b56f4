package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// logger writes one line per call, in one write, with the time in front and
// without any secret. Safe for concurrent use.
type logger struct {
	mu      sync.Mutex
	w       io.Writer
	secrets *strings.Replacer
}

func newLogger(w io.Writer, secrets []string) *logger {
	var pairs []string
	for _, secret := range secrets {
		pairs = append(pairs, secret, "***")
	}
	return &logger{w: w, secrets: strings.NewReplacer(pairs...)}
}

// Printf formats one line; line breaks within it become spaces.
func (l *logger) Printf(format string, args ...any) {
	l.line(l.secrets.Replace(fmt.Sprintf(format, args...)))
}

// leak writes text as it is; only the log-secret defect calls it.
func (l *logger) leak(text string) { l.line(text) }

func (l *logger) line(text string) {
	text = strings.Join(strings.Fields(text), " ")
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.w, "%s %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), text)
}
