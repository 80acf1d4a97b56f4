package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// chat is what becomes of a message at /ws: it is turned away with 503 (away), answered (open), kept until open (queue), lost with close
// 1011 (lose), or taken and never answered (forget).
type chat struct {
	mu    sync.Mutex
	cond  *sync.Cond
	mode  string
	taken int // messages that were taken
}

func newChat() *chat {
	c := &chat{mode: "away"}
	c.cond = sync.NewCond(&c.mu)
	return c
}

// set changes the mode, or waits until a message was taken.
func (c *chat) set(mode string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mode == "await" {
		for c.taken == 0 {
			c.cond.Wait()
		}
		return nil
	}
	c.mode = mode
	c.cond.Broadcast()
	return nil
}

func (c *chat) now() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mode
}

func (c *chat) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	mode := c.now()
	if mode == "away" {
		http.Error(out, "not yet", http.StatusServiceUnavailable)
		return
	}
	conn, err := websocket.Accept(out, in, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	ctx := context.Background()
	_, text, err := conn.Read(ctx)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.taken++
	c.cond.Broadcast()
	for mode == "queue" && c.mode == "queue" {
		c.cond.Wait()
	}
	c.mu.Unlock()
	switch mode {
	case "lose":
		_ = conn.Close(websocket.StatusInternalError, "nobody is here")
	case "forget":
		_, _, _ = conn.Read(ctx)
	default:
		_ = conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"type":"echo","text":%q}`, text))
		_, _, _ = conn.Read(ctx)
	}
}
