package phases

import "strings"

const escape = '\x1b'

// Strip returns a line without ANSI escape sequences and carriage returns, as it is matched and recorded. A sequence that is cut
// off or broken loses what was read of its head, never the text behind it.
func Strip(line string) string {
	if strings.IndexByte(line, escape) < 0 && strings.IndexByte(line, '\r') < 0 {
		return line
	}
	var b strings.Builder
	b.Grow(len(line))
	for i := 0; i < len(line); {
		switch c := line[i]; c {
		case escape:
			i += sequence(line[i:])
		case '\r':
			i++
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// sequence returns the length of the escape sequence that s begins with (ECMA-48), at least 1.
func sequence(s string) int {
	if len(s) == 1 {
		return 1
	}
	switch s[1] {
	case '[': // control sequence: parameters, intermediates, one final byte
		i := span(s, 2, 0x30, 0x3f)
		i = span(s, i, 0x20, 0x2f)
		if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
			i++
		}
		return i
	case ']', 'P', 'X', '^', '_': // a string, up to BEL or ESC \; without an end it is taken for text
		for i := 2; i < len(s); i++ {
			switch {
			case s[i] == '\a':
				return i + 1
			case s[i] == escape && i+1 < len(s) && s[i+1] == '\\':
				return i + 2
			case s[i] == escape:
				return 2
			}
		}
		return 2
	}
	i := span(s, 1, 0x20, 0x2f)
	if i < len(s) && s[i] >= 0x30 && s[i] <= 0x7e {
		i++
	}
	return i
}

// span returns where the bytes from low to high that begin at i end.
func span(s string, i int, low, high byte) int {
	for i < len(s) && s[i] >= low && s[i] <= high {
		i++
	}
	return i
}
