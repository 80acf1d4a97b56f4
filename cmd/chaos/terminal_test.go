package main

import (
	"regexp"
	"strconv"
	"strings"
)

// emulator is as much of a terminal as the live display needs: text, line ends, and the three sequences that it writes.
type emulator struct {
	width    int
	rows     [][]rune
	row, col int
	most     int // the most rows that were painted over at once
	strange  []string
}

var sequence = regexp.MustCompile(`^\x1b\[(\d*)([A-Za-z])`)

// feed takes output of a program, with line ends as a terminal gets them or as the program wrote them.
func (e *emulator) feed(text string) {
	for text != "" {
		if m := sequence.FindStringSubmatch(text); m != nil {
			e.control(m[1], m[2])
			text = text[len(m[0]):]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		e.put(r)
	}
}

func (e *emulator) control(n, what string) {
	switch what {
	case "A":
		up, _ := strconv.Atoi(n)
		e.most = max(e.most, up)
		if up > e.row {
			e.strange = append(e.strange, "up beyond the top")
		}
		e.row = max(0, e.row-up)
	case "J":
		if e.row < len(e.rows) {
			e.rows = e.rows[:e.row+1]
			e.rows[e.row] = e.rows[e.row][:min(e.col, len(e.rows[e.row]))]
		}
	default:
		e.strange = append(e.strange, "escape "+n+what)
	}
}

func (e *emulator) put(r rune) {
	switch {
	case r == '\r':
		e.col = 0
	case r == '\n':
		e.row, e.col = e.row+1, 0
	case r < ' ':
		e.strange = append(e.strange, strconv.QuoteRune(r))
	default:
		if e.col+columns(r) > e.width {
			e.row, e.col = e.row+1, 0
		}
		for len(e.rows) <= e.row {
			e.rows = append(e.rows, nil)
		}
		for len(e.rows[e.row]) <= e.col {
			e.rows[e.row] = append(e.rows[e.row], ' ')
		}
		e.rows[e.row][e.col] = r
		e.col += columns(r)
	}
}

// screen is what can be seen, without trailing spaces and empty lines.
func (e *emulator) screen() []string {
	var out []string
	for _, r := range e.rows {
		out = append(out, strings.TrimRight(string(r), " "))
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}
