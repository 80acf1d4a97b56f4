package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// checkChat sends a ping through the real chat handler, over a connection that
// exists in memory only: the port may not be bound yet.
func (s *service) checkChat(ctx context.Context) error {
	if s.config.Defects.Has(LostEarlyMessage) { // defect: lost-early-message
		return nil // the ping would be lost like every early message
	}
	near, far := net.Pipe()
	listener := &pipeListener{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	listener.conn <- far
	server := &http.Server{Handler: http.HandlerFunc(s.chat), ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // ends with ErrServerClosed, below
	defer serving.Wait()
	defer server.Close() //nolint:errcheck // nothing is left to lose
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil }}}
	conn, _, err := websocket.Dial(ctx, "ws://smd/ws?session=self-check-"+s.id, &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // Dial says that the body never needs to be closed
	if err != nil {
		return fmt.Errorf("open a WebSocket to ourselves: %w", err)
	}
	defer conn.CloseNow() //nolint:errcheck // nothing is left to lose
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"type":"ping"}`)); err != nil {
		return fmt.Errorf("send a WebSocket message to ourselves: %w", err)
	}
	_, text, err := conn.Read(ctx)
	if err != nil {
		return fmt.Errorf("receive a WebSocket message from ourselves: %w", err)
	}
	if string(text) != `{"type":"pong"}` {
		return errors.New("the WebSocket answered something else than pong")
	}
	return nil
}

// pipeListener hands one connection to an http.Server.
type pipeListener struct {
	conn   chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
