package faults

import "time"

// heardLine is one chunk that a fakeTalk gives, or the end of a direction (nil).
type heardLine struct {
	d    Direction
	data []byte
}

// fakeTalk gives the chunks of a script and then says that the fault was lifted. It keeps what was passed.
type fakeTalk struct {
	script []heardLine
	passed [2][]byte // by Direction
	ended  [2]bool
	bites  []string
	closed string // "close", "reset"
}

func (f *fakeTalk) Next() (Direction, Chunk, bool) {
	if len(f.script) == 0 || f.closed != "" {
		return 0, Chunk{}, false
	}
	l := f.script[0]
	f.script = f.script[1:]
	return l.d, Chunk{Data: l.data, At: time.Now()}, true
}

func (f *fakeTalk) NextUntil(time.Time) (d Direction, c Chunk, due, ok bool) {
	d, c, ok = f.Next()
	return d, c, false, ok
}

func (f *fakeTalk) Pass(d Direction, c Chunk) {
	if f.ended[d] {
		panic("something was passed behind the end of a direction")
	}
	f.passed[d] = append(f.passed[d], c.Data...)
	f.ended[d] = c.Data == nil
}

func (f *fakeTalk) Wait(time.Time) bool     { return len(f.script) > 0 }
func (f *fakeTalk) Began() time.Time        { return time.Now() }
func (f *fakeTalk) Bite(_ int, text string) { f.bites = append(f.bites, text) }
func (f *fakeTalk) Close()                  { f.closed = "close" }
func (f *fakeTalk) Reset()                  { f.closed = "reset" }
