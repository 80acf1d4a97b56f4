package faults

import "time"

// drain takes and drops what comes until the connection is gone or the fault is lifted, so that the reader is never stuck behind a filter
// that has ended.
func drain(link Link) {
	for {
		if _, ok := link.Next(); !ok {
			return
		}
	}
}

// awaitLift waits until the fault is lifted or the connection is gone.
func awaitLift(link Link) {
	for link.Wait(time.Now().Add(time.Hour)) {
	}
}

// allowance is a number of bytes that may pass on a connection. It survives an interruption of the filter and starts anew when
// the fault comes on again.
type allowance struct {
	limit int64

	began time.Time // of the count
	used  int64
}

// spend passes bytes until the limit is reached, and then returns what is left of the last chunk. ok is false when the fault was lifted or the
// connection ended before. With a limit of 0 it takes the first chunk and passes nothing of it.
func (a *allowance) spend(link Link) (rest Chunk, ok bool) {
	if began := link.Began(); !began.Equal(a.began) {
		a.began, a.used = began, 0
	}
	for {
		c, ok := link.Next()
		if !ok {
			return Chunk{}, false
		}
		if c.Data == nil {
			link.Pass(c) // the answer was shorter than the limit
			continue
		}
		left := a.limit - a.used
		if int64(len(c.Data)) < left {
			a.used += int64(len(c.Data))
			link.Pass(c)
			continue
		}
		a.used = a.limit
		if left > 0 {
			link.Pass(Chunk{Data: c.Data[:left], At: c.At})
		}
		return Chunk{Data: c.Data[left:], At: c.At}, true
	}
}
