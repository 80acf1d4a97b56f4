package main

import (
	"bytes"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The modes of a relay.
const (
	pass   = "pass"
	silent = "silent" // accepted, nothing is ever answered
	shut   = "shut"   // accepted and reset
)

// relay stands between the service and one dependency.
type relay struct {
	listener net.Listener
	target   string
	all      sync.WaitGroup

	mu       sync.Mutex
	mode     string
	trip     []byte // when the service sends this, everything is shut
	conns    map[net.Conn]struct{}
	accepted int
}

func newRelay(t *testing.T, target, mode string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{listener: listener, target: target, mode: mode, conns: map[net.Conn]struct{}{}}
	r.all.Go(r.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		r.set(shut)
		r.all.Wait()
	})
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

// set changes the mode; shut also resets the open connections.
func (r *relay) set(mode string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode = mode
	if mode == shut {
		for conn := range r.conns {
			reset(conn)
		}
	}
}

// tripOn shuts the relay as soon as the service sends text.
func (r *relay) tripOn(text string) *relay {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trip = []byte(text)
	return r
}

func (r *relay) trips(chunk []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.trip) > 0 && bytes.Contains(chunk, r.trip)
}

func (r *relay) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}

// open is how many connections are relayed now.
func (r *relay) open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

func (r *relay) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.accepted++
		mode := r.mode
		if mode == shut {
			reset(conn)
		} else {
			r.conns[conn] = struct{}{}
			r.all.Go(func() { r.serve(conn, mode) })
		}
		r.mu.Unlock()
	}
}

func (r *relay) serve(client net.Conn, mode string) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, client)
		_ = client.Close()
	}()
	if mode == silent {
		_, _ = io.Copy(io.Discard, client)
		return
	}
	upstream, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
	})
	defer back.Wait()
	defer upstream.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := client.Read(buffer)
		if r.trips(buffer[:n]) {
			r.set(shut)
			return
		}
		if _, werr := upstream.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// refused returns an address that is bound but not listened on: it refuses
// connections and nobody else can take it.
func refused(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}).String()
}
