package process

import "strconv"

// Holder is a process that has a port.
type Holder struct {
	PID     int
	Program string // the file name of its program, or "" where it can't be read
}

// String words it for the middle of a sentence: "process 12 (nginx)".
func (h Holder) String() string {
	text := "process " + strconv.Itoa(h.PID)
	if h.Program != "" {
		text += " (" + h.Program + ")"
	}
	return text
}
