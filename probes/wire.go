package probes

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
)

// wire holds the connections of one attempt. They are closed when its context ends, and when the attempt is over: whatever a
// library still does with them fails at once, so that an attempt leaves nothing behind.
type wire struct {
	mu      sync.Mutex
	open    []net.Conn
	closed  bool
	trouble error // the last error that a dial, a read or a write met before close
}

// newWire returns a wire that lives until ctx ends or the returned function is called.
func newWire(ctx context.Context) (*wire, func()) {
	w := &wire{}
	stop := context.AfterFunc(ctx, w.close)
	return w, func() { stop(); w.close() }
}

// dial connects without any proxy.
func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, w.met(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	w.open = append(w.open, conn)
	return &limited{Conn: conn, wire: w, left: maxWire}, nil
}

// met keeps an error and returns it.
func (w *wire) met(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && !w.closed {
		w.trouble = err
	}
	return err
}

// lastTrouble returns the last error of a connection: what a library makes of it often tells less. nil means none.
func (w *wire) lastTrouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trouble
}

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, c := range w.open {
		_ = c.Close() // a second close is harmless, and nobody waits for these bytes
	}
	w.open = nil
}

// maxWire is how many bytes are read from one connection of an attempt.
const maxWire = 16 << 20

// limited is a connection that fails after so many bytes were read, and that tells its wire what it met.
type limited struct {
	net.Conn
	wire *wire
	left int
}

// Read is net.Conn's, within the limit.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, l.wire.met(errTooLarge)
	}
	n, err := l.Conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, l.wire.met(err)
}

// Write is net.Conn's.
func (l *limited) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	return n, l.wire.met(err)
}

// checkAddress says what is wrong with an address that should be host:port.
func checkAddress(address string) error {
	if address == "" {
		return fmt.Errorf("address is missing; expected host:port")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q: expected host:port", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || host == "" {
		return fmt.Errorf("address %q: expected host:port with a port from 1 to 65535", address)
	}
	return nil
}

// parseURL reads an URL with a host and one of the schemes. Its error does not repeat the URL: it may hold a password.
func parseURL(text string, schemes ...string) (*url.URL, error) {
	if text == "" {
		return nil, fmt.Errorf("url is missing; expected %s://host:port/path", schemes[0])
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("url cannot be read; expected %s://host:port/path", schemes[0])
	}
	for _, s := range schemes {
		if u.Scheme == s && u.Host != "" {
			return u, nil
		}
	}
	shown, _ := safeURL(u)
	return nil, fmt.Errorf("url %q: expected %s://host:port/path", shown, schemes[0])
}
