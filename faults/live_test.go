package faults

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// liveTalk is a Talk between two real sockets: what internal/proxy does, as simply as can be.
type liveTalk struct {
	service, dependency net.Conn
	chunks              chan heardLine
	lifted              chan struct{}
	done                chan struct{} // Run has returned

	mu    sync.Mutex
	bites []string
	ended string // "close", "reset"
}

const livePatience = 20 * time.Second

// converse runs a conversation between a service, whose end is returned, and a dependency at address, until the test ends or lift is called.
func converse(t *testing.T, c Conversation, address string) (net.Conn, *liveTalk) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	service, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, service.SetDeadline(time.Now().Add(livePatience)))
	talk := &liveTalk{chunks: make(chan heardLine), lifted: make(chan struct{}), done: make(chan struct{})}
	talk.service, err = l.Accept()
	require.NoError(t, err)
	talk.dependency, err = net.Dial("tcp", address)
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() { talk.read(Upstream, talk.service) })
	work.Go(func() { talk.read(Downstream, talk.dependency) })
	work.Go(func() {
		defer close(talk.done)
		c.Run(talk)
		talk.hangUp()
	})
	t.Cleanup(func() {
		_ = service.Close()
		talk.lift()
		work.Wait()
	})
	return service, talk
}

func (l *liveTalk) read(d Direction, from net.Conn) {
	for {
		b := make([]byte, 1000) // so that records come in pieces
		n, err := from.Read(b)
		for _, data := range [][]byte{b[:n], nil} {
			if len(data) == 0 && (data != nil || err == nil) {
				continue
			}
			select {
			case l.chunks <- heardLine{d, data}:
			case <-l.done:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *liveTalk) lift() {
	select {
	case <-l.lifted:
	default:
		close(l.lifted)
	}
}

func (l *liveTalk) hangUp() {
	_ = l.service.Close()
	_ = l.dependency.Close()
}

func (l *liveTalk) Next() (Direction, Chunk, bool) {
	d, c, _, ok := l.NextUntil(time.Now().Add(time.Hour))
	return d, c, ok
}

func (l *liveTalk) NextUntil(until time.Time) (d Direction, c Chunk, due, ok bool) {
	select { // what was lifted is lifted, whatever waits
	case <-l.lifted:
		return 0, Chunk{}, false, false
	default:
	}
	select {
	case h := <-l.chunks:
		return h.d, Chunk{Data: h.data, At: time.Now()}, false, true
	case <-l.lifted:
		return 0, Chunk{}, false, false
	case <-time.After(time.Until(until)):
		return 0, Chunk{}, true, true
	}
}

func (l *liveTalk) Pass(d Direction, c Chunk) {
	to := l.service
	if d == Upstream {
		to = l.dependency
	}
	if c.Data == nil {
		_ = to.(*net.TCPConn).CloseWrite()
		return
	}
	_, _ = to.Write(c.Data)
}

func (l *liveTalk) Wait(time.Time) bool { return true }
func (l *liveTalk) Began() time.Time    { return time.Now() }

func (l *liveTalk) Bite(_ int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bites = append(l.bites, text)
}

func (l *liveTalk) Close() { l.end("close") }

func (l *liveTalk) Reset() {
	_ = l.service.(*net.TCPConn).SetLinger(0)
	l.end("reset")
}

func (l *liveTalk) end(how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = how
}

// bitten waits for the end of Run and returns what bit.
func (l *liveTalk) bitten(t *testing.T) []string {
	t.Helper()
	select {
	case <-l.done:
	case <-time.After(livePatience):
		assert.Fail(t, "the conversation does not end")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bites
}
