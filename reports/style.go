package reports

import (
	"strings"

	"github.com/chaos-startup/chaos/contracts"
)

// Style says how the text format looks.
type Style struct {
	Color   bool // ANSI colours; the caller honours NO_COLOR and asks whether there is a terminal
	Verbose bool // also why passing trials pass
}

const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return code + text + reset
}

// verdict paints text in the colour of v.
func (s Style) verdict(v contracts.Verdict, text string) string {
	switch v {
	case contracts.Pass:
		return s.paint(green, text)
	case contracts.Fail, contracts.Error, NotCovered:
		return s.paint(bold+red, text)
	}
	return s.paint(bold+yellow, text)
}

// word is a verdict as it stands in the text: what needs attention is in capitals, so that it is seen without colour too.
func word(v contracts.Verdict) string {
	switch v {
	case contracts.Pass:
		return "pass"
	case "":
		return "INCONCLUSIVE"
	}
	return strings.ToUpper(strings.ReplaceAll(string(v), "_", " "))
}
