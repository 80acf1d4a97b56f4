package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// hub is the WebSocket manager: it knows every open chat, so that a shutdown
// can end them.
type hub struct {
	mu      sync.Mutex
	conns   map[*websocket.Conn]struct{}
	started bool
	closing bool
	all     sync.WaitGroup
}

func newHub() *hub { return &hub{conns: map[*websocket.Conn]struct{}{}} }

func (h *hub) start() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return errors.New("the WebSocket manager is closing")
	}
	h.started = true
	return nil
}

// register takes a connection in; leave must be called when it ends. It fails
// before start and after a shutdown has begun.
func (h *hub) register(conn *websocket.Conn) (leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closing:
		return nil, errors.New("the service is shutting down")
	case !h.started:
		return nil, errors.New("the WebSocket manager is not registered yet")
	}
	h.conns[conn] = struct{}{}
	h.all.Add(1)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.conns, conn)
		h.all.Done()
	}, nil
}

// count is how many chats are open.
func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// closeGently tells every client that the service goes away and waits for
// them, but not longer than limit.
func (h *hub) closeGently(limit time.Duration) {
	var all sync.WaitGroup
	for _, conn := range h.shut() {
		all.Go(func() { _ = conn.Close(websocket.StatusGoingAway, "the service is shutting down") })
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	// A client that does not answer the close frame is cut off, which also ends
	// the goroutine that waits for it.
	stop := context.AfterFunc(ctx, h.closeNow)
	defer stop()
	all.Wait()
}

// closeNow cuts every connection off and waits for its handler.
func (h *hub) closeNow() {
	for _, conn := range h.shut() {
		_ = conn.CloseNow()
	}
	h.all.Wait()
}

func (h *hub) shut() []*websocket.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closing = true
	conns := make([]*websocket.Conn, 0, len(h.conns))
	for conn := range h.conns {
		conns = append(conns, conn)
	}
	return conns
}
