package main

import (
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// screen is the terminal behind an output. The zero screen is none: the output goes to a file or a pipe.
type screen struct {
	size func() (width, height int) // now: the user may resize it
}

func screenOf(f *os.File) screen {
	fd := int(f.Fd()) // #nosec G115 -- a file descriptor
	if !term.IsTerminal(fd) {
		return screen{}
	}
	return screen{size: func() (int, int) {
		width, height, err := term.GetSize(fd)
		if err != nil || width < 20 || height < 4 {
			return 80, 24 // it does not know, or nothing would fit
		}
		return width, height
	}}
}

func (s screen) there() bool { return s.size != nil }

// color says whether an output may be coloured: it is a terminal, and NO_COLOR (https://no-color.org) is not set.
func (s screen) color(d deps) bool {
	if v, _ := d.env("NO_COLOR"); v != "" {
		return false
	}
	return s.there() && !dumb(d)
}

// live says whether lines may be painted over: it is a terminal, and nobody keeps a log of it (CI).
func (s screen) live(d deps) bool {
	ci, _ := d.env("CI")
	return s.there() && !dumb(d) && (ci == "" || ci == "false" || ci == "0")
}

func dumb(d deps) bool {
	t, _ := d.env("TERM")
	return t == "dumb"
}

// columns is how many columns a rune takes, at most: wide ones are told from the others only roughly.
func columns(r rune) int {
	if r >= 0x1100 {
		return 2
	}
	return 1
}

func columnsOf(s string) int {
	n := 0
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// cut shortens s to n columns; what is left out shows as "...".
func cut(s string, n int) string {
	if columnsOf(s) <= n {
		return s
	}
	room := max(0, n-3)
	var b strings.Builder
	for _, r := range s {
		if room -= columns(r); room < 0 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "..."[:min(3, max(0, n))]
}

// pad fills s up to n columns.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-columnsOf(s)))
}

// plain takes out what would move the cursor: names come from files, phases from the service's own log.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
