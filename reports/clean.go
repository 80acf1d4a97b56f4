package reports

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ansi matches the escape sequences of terminals: CSI (colours, cursor), OSC (titles, links) and the two-byte ones.
var ansi = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])`)

// clean makes a text that came from a service safe to show on a terminal and in XML: no escape sequences, no control characters
// but newlines and tabs, only valid UTF-8 that XML 1.0 may hold.
func clean(text string) string {
	if plainText(text) {
		return text
	}
	text = strings.ToValidUTF8(ansi.ReplaceAllString(text, ""), "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r) || r == '\uFFFE' || r == '\uFFFF' || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
}

func plainText(text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// oneLine is clean on one line.
func oneLine(text string) string { return strings.Join(strings.Fields(clean(text)), " ") }

// cut shortens text to at most width characters.
func cut(text string, width int) string {
	r := []rune(text)
	if len(r) <= width {
		return text
	}
	return string(r[:max(0, width-3)]) + "..."
}
