package contracts

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// slackMS is how much earlier than a deadline observation may have ended and still count as having reached it: a runner that
// waits for a deadline on its own clock ends within a scheduling tick of it, not exactly on it.
const slackMS = 50

// Millis writes a time of a timeline for people: "84ms", "5.07s".
func Millis(ms float64) string {
	switch {
	case ms < 0:
		return "-" + Millis(-ms)
	case ms < 10:
		return trim(ms, 1) + "ms"
	case ms < 1000:
		return trim(ms, 0) + "ms"
	case ms < 100_000:
		return trim(ms/1000, 3) + "s"
	}
	return trim(ms/1000, 0) + "s"
}

func trim(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// Words says what the service did, as the end of a sentence: "exited with code 3 at 5.07s".
func (o Outcome) Words() string {
	switch o.Class {
	case Ready, Degraded:
		at := o.AtMS
		if o.ReadyMS != nil {
			at = *o.ReadyMS
		}
		if o.Class == Degraded {
			return "was ready (degraded) at " + Millis(at)
		}
		return "was ready at " + Millis(at)
	case Exited:
		return fmt.Sprintf("%s at %s", exitWords(o.ExitCode, o.Signal), Millis(o.AtMS))
	case Stopped:
		if o.ExitCode == nil && o.Signal == "" {
			return "was asked to stop at " + Millis(o.AtMS) + " and had not at the end"
		}
		return fmt.Sprintf("was asked to stop and %s at %s", exitWords(o.ExitCode, o.Signal), Millis(o.AtMS))
	case Hung:
		return "was alive and not ready at " + Millis(o.AtMS)
	case FalseReady:
		return "claimed to be ready at " + Millis(o.AtMS) + " while it was not"
	case Restarting:
		return fmt.Sprintf("was restarted %s and not ready at the end", times(o.Restarts))
	}
	return "was not observed long enough"
}

func exitWords(code *int, signal string) string {
	switch {
	case signal != "":
		return "was ended by " + signal
	case code != nil:
		return "exited with code " + strconv.Itoa(*code)
	}
	return "exited"
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// quote shortens a text that came from the service, so that a reason stays one sentence.
func quote(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 160 {
		text = string(r[:157]) + "..."
	}
	return text
}

// list joins names for a sentence: "a, b and c".
func list(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// matcher compiles a pattern of the file. The loader has checked it; a report may come from elsewhere.
func matcher(pattern string) (func(string) bool, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("compile /%s/: %w", pattern, err)
	}
	return re.MatchString, nil
}

// within returns d, or the first positive fallback when d is not set.
func within(d timeline.Duration, fallback ...timeline.Duration) timeline.Duration {
	for _, f := range fallback {
		if d > 0 {
			break
		}
		d = f
	}
	return d
}
