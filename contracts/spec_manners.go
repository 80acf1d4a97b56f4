package contracts

import (
	"github.com/dustin/go-humanize"

	"github.com/chaos-startup/chaos/timeline"
)

// Size is a number of bytes.
type Size int64

// String writes the size in the largest binary unit that fits: "512 MiB".
func (s Size) String() string {
	if s < 0 {
		return "-" + (-s).String()
	}
	return humanize.IBytes(uint64(s))
}

// LeakedFDs bounds by how much the descriptors of the service (of all its processes) may be more, when observation ends, than in the
// control trial that was started the same way; without a control, than when it claimed to be ready.
type LeakedFDs struct {
	Growth int `json:"growth"` // default 10
}

// Memory bounds the resident set of the service's processes together, shared pages counted once for each of them. Zero fields are
// not checked.
type Memory struct {
	Max    Size `json:"max,omitempty"`    // the largest that was seen
	Growth Size `json:"growth,omitempty"` // compared as the descriptors of LeakedFDs, the largest with the largest
}

// Threads bounds the threads of the service's processes together. Zero fields are not checked.
type Threads struct {
	Max    int `json:"max,omitempty"`    // the most that were seen
	Growth int `json:"growth,omitempty"` // compared as the descriptors of LeakedFDs, the most with the most
}

// Stop: asked to stop by its experiment, the service ends by itself within Within. ExitCode clean (the default) is 0, 128 plus the
// signal's number, or an end by the signal itself; Log is a regular expression that a line must match.
type Stop struct {
	Within   timeline.Duration `json:"within,omitempty"` // 0 = the grace of service.stop
	ExitCode ExitCode          `json:"exit_code,omitempty"`
	Log      string            `json:"log,omitempty"`
}

// AskStop says that the experiment asks the service to stop, and when.
type AskStop struct {
	Text  string `json:"text"`            // "SIGTERM when phase database begins"
	Phase string `json:"phase,omitempty"` // the phase it waits for, if any
}

// ThenRestart says that the service is started once more afterwards, with no fault, against the same state: it must become ready, with
// every proof, within Within (0 = its budget).
type ThenRestart struct {
	Within timeline.Duration `json:"within,omitempty"`
}
