package proxy

import (
	"net"
	"sync"
	"sync/atomic"
)

// queueLimit is how many bytes may wait for a slow reader before the other side is not read any more.
const queueLimit = 1 << 20

// queue is the end of one direction: Write never blocks and never fails, so that no toxic can be stuck in it (Toxiproxy's links
// deadlock when one is); a goroutine sends to the socket. Close closes the write side after the last byte: a half-close stays one.
type queue struct {
	to   *net.TCPConn
	sent *atomic.Int64
	mute *atomic.Bool // nothing may arrive any more, neither bytes nor an end

	breaks atomic.Bool // the stream did not end, it broke: RST after the last byte instead of FIN
	closes atomic.Bool // after the last byte the whole connection is closed, not this direction alone

	mu     sync.Mutex
	more   *sync.Cond
	room   *sync.Cond
	chunks [][]byte
	size   int
	ended  bool // Close was called
	dead   bool // the connection is gone
}

func newQueue(to *net.TCPConn, sent *atomic.Int64, mute *atomic.Bool) *queue {
	q := &queue{to: to, sent: sent, mute: mute}
	q.more, q.room = sync.NewCond(&q.mu), sync.NewCond(&q.mu)
	return q
}

// Write takes p. It never fails: what can't be sent any more is dropped.
func (q *queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dead || q.ended || q.mute.Load() {
		return len(p), nil
	}
	q.chunks = append(q.chunks, append([]byte(nil), p...))
	q.size += len(p)
	q.more.Signal()
	return len(p), nil
}

// Close ends the direction after what is queued.
func (q *queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.more.Signal()
	return nil
}

// abandon drops everything.
func (q *queue) abandon() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dead = true
	q.more.Broadcast()
	q.room.Broadcast()
}

// waitRoom holds up the reader of the other side while too much is queued.
func (q *queue) waitRoom() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.size > queueLimit && !q.dead {
		q.room.Wait()
	}
}

// run sends until the direction ended (true) or broke (false).
func (q *queue) run() bool {
	for {
		chunk, ok := q.next()
		if !ok {
			break
		}
		n, err := q.to.Write(chunk)
		q.sent.Add(int64(n))
		q.took(len(chunk))
		if err != nil {
			q.abandon()
			return false
		}
	}
	q.mu.Lock()
	dead := q.dead
	q.mu.Unlock()
	if dead || q.breaks.Load() {
		return false
	}
	_ = q.to.CloseWrite() // an error means that the peer is gone already
	return true
}

func (q *queue) next() ([]byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.chunks) == 0 && !q.ended && !q.dead {
		q.more.Wait()
	}
	if q.dead || len(q.chunks) == 0 {
		return nil, false
	}
	chunk := q.chunks[0]
	q.chunks[0] = nil
	q.chunks = q.chunks[1:]
	return chunk, true
}

func (q *queue) took(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.size -= n
	if q.size <= queueLimit {
		q.room.Broadcast()
	}
}
