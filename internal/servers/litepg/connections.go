package litepg

import (
	"net"
	"sync"
)

// connections is the listener of a server that remembers what it accepted.
// psql-wire v0.20 waits for running commands when it is closed and leaves idle
// connections open; closing them is done here.
type connections struct {
	net.Listener
	mu     sync.Mutex
	open   map[string]net.Conn // by remote address
	closed bool
	once   sync.Once
	err    error
}

func newConnections(l net.Listener) *connections {
	return &connections{Listener: l, open: map[string]net.Conn{}}
}

// Accept waits for the next connection.
func (c *connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			_ = conn.Close()
			continue
		}
		c.open[conn.RemoteAddr().String()] = conn
		c.mu.Unlock()
		return &connection{Conn: conn, of: c}, nil
	}
}

// Close closes the listener, once: the server and the library both do.
func (c *connections) Close() error {
	c.once.Do(func() { c.err = c.Listener.Close() })
	return c.err
}

func (c *connections) closeAll() {
	_ = c.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.open {
		_ = conn.Close()
	}
}

func (c *connections) closeRemote(remote string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.open[remote]; conn != nil {
		_ = conn.Close()
	}
}

type connection struct {
	net.Conn
	of *connections
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c.RemoteAddr().String())
	c.of.mu.Unlock()
	return c.Conn.Close()
}
