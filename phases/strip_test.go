package phases

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStrip(t *testing.T) {
	for line, want := range map[string]string{
		"plain":                           "plain",
		"":                                "",
		"\x1b[31mPHASE\x1b[0m 1":          "PHASE 1",
		"\x1b[1;38;5;208mx\x1b[K":         "x",
		"\x1b[?25lhidden cursor\x1b[?25h": "hidden cursor",
		"10%\r20%\r\n":                    "10%20%\n",
		"\x1b]0;title\aPHASE":             "PHASE",
		"\x1b]8;;http://h\x1b\\link\x1b]8;;\x1b\\": "link",
		"\x1b]0;never ended PHASE 3":               "0;never ended PHASE 3",
		"\x1b]0;cut \x1b[1mPHASE 3":                "0;cut PHASE 3",
		"\x1b(Btext\x1b=\x1b>\x1bM":                "text",
		"\x1b[31":                                  "",
		"\x1b[31é":                                 "é",
		"end\x1b":                                  "end",
		"\x1b\x1b[1mx":                             "x",
		"é\u009b31m":                               "é\u009b31m",
		"a\x1bP1;2|data\x1b\\b":                    "ab",
	} {
		assert.Equal(t, want, Strip(line), "%q", line)
	}
}

func FuzzStrip(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred\x1b[0m\r\n", "\x1b]0;t\a", "\x1b", "\x1b[", "\x1b]x\x1b\\", "\xff\x1b(\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := Strip(line)
		switch {
		case strings.ContainsAny(got, "\x1b\r"):
			t.Fatalf("%q holds an escape or a carriage return", got)
		case Strip(got) != got:
			t.Fatalf("stripped twice, %q is another", got)
		case len(got) > len(line):
			t.Fatalf("%q grew to %q", line, got)
		case !strings.ContainsAny(line, "\x1b\r") && got != line:
			t.Fatalf("%q became %q", line, got)
		case strings.ToValidUTF8(line, "") == line && strings.ToValidUTF8(got, "") != got:
			t.Fatalf("%q is torn to %q", line, got)
		}
	})
}
