package faults

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeLink is one direction of a connection in memory, for use in a synctest bubble. Like the real one it stamps chunks on arrival, stops the
// filter at the lift, and then passes on what the filter had not taken.
type fakeLink struct {
	in     chan Chunk
	lifted chan struct{}
	gone   chan struct{}
	began  time.Time
	open   int // connections of the dependency
	bites  []string

	mu     sync.Mutex
	out    []arrival
	ended  []string // "close" and "reset", as called
	endsAt time.Duration
}

// arrival is a chunk that was passed on, and when, counted from the start of the test.
type arrival struct {
	data string // "EOF" for the end of the stream
	at   time.Duration
}

// onLink runs a filter on a link inside a bubble and ends it in order, whatever the test did.
func onLink(t *testing.T, f Filter, test func(l *fakeLink)) *fakeLink {
	t.Helper()
	require.NotNil(t, f)
	var l *fakeLink
	synctest.Test(t, func(*testing.T) {
		l = newLink(f)
		l.during(f, func() { test(l) })
	})
	return l
}

// newLink returns a link on which the fault comes on now. It has room for what the filter wants buffered, and a little more, so that
// tests need not send from goroutines of their own.
func newLink(f Filter) *fakeLink {
	return &fakeLink{in: make(chan Chunk, f.Buffer()+64), gone: make(chan struct{}), began: time.Now()}
}

// during runs the filter as long as the test says, then lifts the fault, if the test did not, and waits for its end.
func (l *fakeLink) during(f Filter, test func()) {
	l.lifted = make(chan struct{})
	done := make(chan struct{})
	go func() {
		f.Run(l)
		for { // what it did not take passes untouched, unless the connection is gone
			select {
			case <-l.gone:
				close(done)
				return
			default:
			}
			select {
			case c := <-l.in:
				l.Pass(c)
			default:
				close(done)
				return
			}
		}
	}()
	test()
	synctest.Wait()
	l.lift()
	<-done
}

func (l *fakeLink) lift() {
	select {
	case <-l.lifted:
	default:
		close(l.lifted)
	}
	synctest.Wait()
}

// send is data coming from the socket now; "EOF" is its end.
func (l *fakeLink) send(pieces ...string) {
	for _, p := range pieces {
		c := Chunk{At: time.Now()}
		if p != "EOF" {
			c.Data = []byte(p)
		}
		l.in <- c
	}
	synctest.Wait()
}

// passed returns what has come out.
func (l *fakeLink) passed() []arrival {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]arrival(nil), l.out...)
}

// text returns what has come out, in one.
func (l *fakeLink) text() string {
	synctest.Wait()
	return l.final()
}

// final is text outside the bubble, when all is over.
func (l *fakeLink) final() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := ""
	for _, a := range l.out {
		s += a.data
	}
	return s
}

func (l *fakeLink) stopped() bool {
	select {
	case <-l.lifted:
		return true
	case <-l.gone:
		return true
	default:
		return false
	}
}

func (l *fakeLink) Next() (Chunk, bool) {
	if l.stopped() {
		return Chunk{}, false
	}
	select {
	case c := <-l.in:
		return c, true
	case <-l.lifted:
	case <-l.gone:
	}
	return Chunk{}, false
}

func (l *fakeLink) NextUntil(t time.Time) (c Chunk, due, ok bool) {
	if l.stopped() {
		return Chunk{}, false, false
	}
	if !time.Now().Before(t) {
		return Chunk{}, true, true
	}
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case c := <-l.in:
		return c, false, true
	case <-timer.C:
		return Chunk{}, true, true
	case <-l.lifted:
	case <-l.gone:
	}
	return Chunk{}, false, false
}

func (l *fakeLink) Wait(t time.Time) bool {
	if l.stopped() {
		return false
	}
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.lifted:
	case <-l.gone:
	}
	return false
}

func (l *fakeLink) Pass(c Chunk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := arrival{data: string(c.Data), at: time.Since(l.began)}
	if c.Data == nil {
		a.data = "EOF"
	}
	l.out = append(l.out, a)
}

func (l *fakeLink) Began() time.Time { return l.began }

func (l *fakeLink) Open() int { return l.open }

func (l *fakeLink) Bite(_ int, text string) { l.bites = append(l.bites, text) }
func (l *fakeLink) Close()                  { l.end("close") }
func (l *fakeLink) Reset()                  { l.end("reset") }

func (l *fakeLink) end(how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ended) == 0 {
		close(l.gone)
		l.endsAt = time.Since(l.began)
	}
	l.ended = append(l.ended, how)
}

// filter makes one filter of a fault.
func filter(t *testing.T, kind string, value any, d Direction) Filter {
	t.Helper()
	return behaviour(t, kind, value).Filter(d, seeded())
}

func seeded() *rand.Rand { return rand.New(rand.NewPCG(7, 11)) }

// elapse lets virtual time pass: inside a bubble nothing really sleeps.
func elapse(d time.Duration) { time.Sleep(d) }
