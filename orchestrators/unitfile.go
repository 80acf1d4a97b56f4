package orchestrators

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// setting is a line of a unit file.
type setting struct {
	section, name, value string
	line, column         int // of the value
}

// ImportUnit reads the timing words of a systemd unit file. https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html
func ImportUnit(data []byte) (*Systemd, *Mistake) {
	settings, mistake := unitSettings(string(data))
	if mistake != nil {
		return nil, mistake
	}
	u := &Systemd{}
	service := false
	for _, s := range settings {
		service = service || s.section == "Service"
		if mistake := u.set(s); mistake != nil {
			return nil, mistake
		}
	}
	if !service {
		return nil, &Mistake{Text: "it is not the unit of a service", Expected: "a section [Service]"}
	}
	return u, nil
}

// unitSettings splits a unit file into its settings. Lines that end with a backslash go on in the next.
func unitSettings(text string) ([]setting, *Mistake) {
	var out []setting
	section := ""
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		number, line := i+1, strings.TrimRight(lines[i], "\r \t")
		for strings.HasSuffix(line, "\\") && i+1 < len(lines) {
			i++
			line = strings.TrimSuffix(line, "\\") + " " + strings.TrimSpace(strings.TrimRight(lines[i], "\r"))
		}
		trimmed := strings.TrimSpace(line)
		name, value, isSetting := strings.Cut(trimmed, "=")
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[' && strings.HasSuffix(trimmed, "]"):
			section = trimmed[1 : len(trimmed)-1]
		case !isSetting || section == "":
			return nil, &Mistake{Line: number, Column: 1, Text: "not a line of a unit file", Expected: "[Section], Name=value or # comment"}
		default:
			out = append(out, setting{section, strings.TrimSpace(name), strings.TrimSpace(value), number, strings.Index(line, "=") + 2})
		}
	}
	return out, nil
}

// serviceTypes are the values of Type=.
var serviceTypes = []string{"simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"}

// restartWords are the values of Restart=.
var restartWords = []string{"no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"}

// set takes one setting; an empty value resets it to its default.
func (u *Systemd) set(s setting) *Mistake {
	var mistake *Mistake
	switch s.section + "." + s.name {
	case "Service.Type":
		u.Type, mistake = s.oneOf(serviceTypes)
	case "Service.Restart":
		u.Restart, mistake = s.oneOf(restartWords)
	case "Service.TimeoutStartSec", "Service.TimeoutSec":
		u.TimeoutStartSec, mistake = s.span(0)
	case "Service.RestartSec":
		u.RestartSec, mistake = s.span(infinity)
	case "Unit.StartLimitIntervalSec", "Unit.StartLimitInterval", "Service.StartLimitInterval":
		u.StartLimitIntervalSec, mistake = s.span(infinity)
	case "Unit.StartLimitBurst", "Service.StartLimitBurst":
		u.StartLimitBurst, mistake = s.count()
	}
	return mistake
}

func (s setting) wrong(expected, text string) *Mistake {
	return &Mistake{Line: s.line, Column: s.column, Text: text, Expected: expected}
}

func (s setting) oneOf(known []string) (string, *Mistake) {
	if s.value == "" || slices.Contains(known, s.value) {
		return s.value, nil
	}
	m := s.wrong("", "unknown value `"+s.value+"` of "+s.name)
	m.Wrong, m.Known = s.value, known
	return "", m
}

func (s setting) count() (*int, *Mistake) {
	if s.value == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(s.value)
	if err != nil || n < 0 {
		return nil, s.wrong("a whole number", s.name+" is not a whole number")
	}
	return &n, nil
}

// spanPart is one number of a time span with its unit, as in systemd.time(7).
var spanPart = regexp.MustCompile(`^\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)`)

var spanUnits = map[string]time.Duration{
	"": time.Second, "s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second, "ms": time.Millisecond, "msec": time.Millisecond,
	"us": time.Microsecond, "usec": time.Microsecond, "m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute, "h": time.Hour,
	"hr": time.Hour, "hour": time.Hour, "hours": time.Hour, "d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// span reads a time span: "5min 20s", "90" (seconds), "infinity", which is never.
func (s setting) span(never timeline.Duration) (*timeline.Duration, *Mistake) {
	const want = "a time span such as 30s, 1min 30s or infinity"
	if s.value == "" {
		return nil, nil
	}
	if s.value == "infinity" {
		return &never, nil
	}
	var total timeline.Duration
	rest := s.value
	for strings.TrimSpace(rest) != "" {
		m := spanPart.FindStringSubmatch(rest)
		if m == nil {
			return nil, s.wrong(want, s.name+" is not a time span")
		}
		unit, known := spanUnits[m[2]]
		v, err := strconv.ParseFloat(m[1], 64)
		if !known || err != nil || v*unit.Seconds() > maxSeconds {
			return nil, s.wrong(want, s.name+" is not a time span")
		}
		total += timeline.Duration(v * float64(unit))
		rest = rest[len(m[0]):]
	}
	return &total, nil
}
