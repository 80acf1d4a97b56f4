package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/session"
	"github.com/chaos-startup/chaos/examples/smd/internal/store"
)

// When the HTTP port answers, as --serve names it.
const (
	serveAfter  = "after"
	serveBefore = "before"
	serveDuring = "during"
)

// Config is everything the service is told from outside.
type Config struct {
	Host, Port         string
	DatabaseURL        string
	RedisURL           string
	ClickHouseURL      string // "" means no analytics
	ClickHouseDatabase string
	AuthURL, LLMURL    string
	CORSOrigin         string
	RateLimit          int // requests of a client at once; used up, they are back after 10 s

	Serve          string
	Defects        Defects
	PhaseTimeout   time.Duration
	AttemptTimeout time.Duration
	Retry          time.Duration
	MaxBackoff     time.Duration
	StartupTimeout time.Duration
	Delay          phaseDelay
}

// loadConfig reads flags and environment and reports all mistakes at once.
func loadConfig(args []string, getenv func(string) string) (Config, error) {
	var c Config
	flags := c.flags()
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	env := func(name, standard string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return standard
	}
	c.Host, c.Port = env("HOST", "127.0.0.1"), getenv("PORT")
	c.DatabaseURL, c.RedisURL = getenv("DATABASE_URL"), getenv("REDIS_URL")
	c.ClickHouseURL, c.ClickHouseDatabase = getenv("CLICKHOUSE_URL"), env("CLICKHOUSE_DATABASE", "default")
	c.AuthURL, c.LLMURL = getenv("AUTH_URL"), getenv("LLM_URL")
	c.CORSOrigin = env("CORS_ORIGIN", "http://localhost:3000")
	if c.AttemptTimeout == 0 {
		c.AttemptTimeout = c.PhaseTimeout
	}
	limit, err := strconv.Atoi(env("RATE_LIMIT", "20"))
	if err != nil || limit < 1 {
		err = fmt.Errorf("RATE_LIMIT is %q: expected a whole number of requests, 1 or more", getenv("RATE_LIMIT"))
	}
	c.RateLimit = limit
	if flags.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	return c, errors.Join(err, c.validate())
}

func (c *Config) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("smd", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // our own messages are better
	flags.StringVar(&c.Serve, "serve", serveDuring, "when the port answers: `after` the startup, before (connects, then silence) or during (503 with the phase)")
	flags.Var(&c.Defects, "defect", "switch on a weakness by `name`; repeatable, or comma-separated; none: sound")
	flags.DurationVar(&c.PhaseTimeout, "phase-timeout", 5*time.Second, "`limit` of each step of a phase")
	flags.DurationVar(&c.AttemptTimeout, "attempt-timeout", 0, "`limit` of one attempt at a step, where --retry allows several (default: --phase-timeout)")
	flags.DurationVar(&c.Retry, "retry", 0, "for how `long` a critical dependency that fails is tried again, with growing pauses; 0: the first failure is final")
	flags.DurationVar(&c.MaxBackoff, "max-backoff", 2*time.Second, "`limit` of the pauses between two tries")
	flags.DurationVar(&c.StartupTimeout, "startup-timeout", 25*time.Second, "`limit` of the whole startup")
	flags.Var(&c.Delay, "startup-delay", "stretch the beginning of every phase by `time`, or of some: DATABASE=1s,CACHE=200ms")
	return flags
}

func (c *Config) validate() error {
	var all []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	port, err := strconv.ParseUint(c.Port, 10, 16)
	check(c.Port != "" && err == nil, "PORT is %q: expected a port number, 0 to %d", c.Port, 65535)
	_ = port
	if c.DatabaseURL == "" {
		check(false, "DATABASE_URL is not set: expected postgres://user:password@host:5432/database")
	} else if _, err := store.Config(c.DatabaseURL, store.Options{}); err != nil || !strings.HasPrefix(c.DatabaseURL, "postgres") {
		check(false, "DATABASE_URL: expected postgres://user:password@host:5432/database")
	}
	if c.RedisURL == "" {
		check(false, "REDIS_URL is not set: expected redis://:password@host:6379/0")
	} else if _, err := session.Options(c.RedisURL); err != nil {
		check(false, "REDIS_URL: %w", err)
	}
	all = append(all, httpURL("AUTH_URL", c.AuthURL, true), httpURL("LLM_URL", c.LLMURL, true),
		httpURL("CLICKHOUSE_URL", c.ClickHouseURL, false), httpURL("CORS_ORIGIN", c.CORSOrigin, true))
	check(c.Serve == serveAfter || c.Serve == serveBefore || c.Serve == serveDuring,
		"--serve is %q: expected after, before or during", c.Serve)
	check(c.PhaseTimeout > 0 && c.AttemptTimeout > 0 && c.StartupTimeout > 0, "time limits must be longer than 0")
	check(c.AttemptTimeout <= c.PhaseTimeout, "--attempt-timeout must not be longer than --phase-timeout (%s)", c.PhaseTimeout)
	check(c.Retry >= 0, "--retry must not be negative")
	check(c.MaxBackoff >= firstPause, "--max-backoff must not be shorter than the first pause (%s)", firstPause)
	return errors.Join(all...)
}

// httpURL checks an address without repeating it: it may hold a password.
func httpURL(name, value string, required bool) error {
	if value == "" {
		if required {
			return fmt.Errorf("%s is not set: expected http://host:port", name)
		}
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%s: expected http://host:port", name)
	}
	return nil
}

// secrets lists the passwords inside the URLs, as written and as decoded.
func (c *Config) secrets() []string {
	var all []string
	for _, text := range []string{c.DatabaseURL, c.RedisURL, c.ClickHouseURL, c.AuthURL, c.LLMURL} {
		u, err := url.Parse(text)
		if err != nil || u.User == nil {
			continue
		}
		password, _ := u.User.Password()
		_, written, _ := strings.Cut(u.User.String(), ":")
		for _, secret := range []string{password, written} {
			if len(secret) > 2 { // shorter ones would mangle the log and are no secret
				all = append(all, secret)
			}
		}
	}
	return all
}

// redacted shows a URL without its password and its parameters.
func redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "***"
	}
	u.RawQuery = ""
	return strings.Replace(u.Redacted(), ":xxxxx@", ":***@", 1)
}

// phaseDelay is the value of --startup-delay.
type phaseDelay struct {
	every time.Duration
	some  map[string]time.Duration
}

// String is the delay as the flag takes it.
func (d *phaseDelay) String() string {
	if d.every > 0 {
		return d.every.String()
	}
	return ""
}

// Set parses "200ms" or "DATABASE=1s,CACHE=200ms"; it makes phaseDelay a
// flag.Value.
func (d *phaseDelay) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		name, value, named := strings.Cut(strings.TrimSpace(part), "=")
		if !named {
			value = name
		}
		delay, err := time.ParseDuration(value)
		if err != nil || delay < 0 {
			return fmt.Errorf("expected a duration like 200ms, or PHASE=200ms, not %q", part)
		}
		if !named {
			d.every = delay
			continue
		}
		name = strings.ToUpper(name)
		if !isPhase(name) {
			return fmt.Errorf("no phase is called %q; they are %s", name, strings.Join(phaseNames(), " "))
		}
		if d.some == nil {
			d.some = map[string]time.Duration{}
		}
		d.some[name] = delay
	}
	return nil
}

// of is the delay of one phase.
func (d *phaseDelay) of(phase string) time.Duration {
	if delay, ok := d.some[phase]; ok {
		return delay
	}
	return d.every
}
