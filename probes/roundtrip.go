package probes

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
)

// httpOnWire sends each HTTP/1.1 request on a new connection of a wire. It is used instead of http.Transport, which writes to the
// global log what a server says unasked (a faulty one: kilobytes), retries, and leaves goroutines that outlive the attempt.
type httpOnWire struct{ *wire }

// client returns an HTTP client on w that follows no redirect, for libraries that need one.
func (w *wire) client() *http.Client {
	return &http.Client{
		Transport:     httpOnWire{w},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// maxInformational bounds the 1xx answers before the real one.
const maxInformational = 5

// RoundTrip sends r and reads the head of the answer. The connection is open until its body is closed or the attempt is over.
func (h httpOnWire) RoundTrip(r *http.Request) (*http.Response, error) {
	conn, err := h.connect(r)
	if err != nil {
		return nil, err
	}
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	errWrite := r.Write(conn) // a server may answer before it has read everything: its answer tells more than this error
	head := &io.LimitedReader{R: conn, N: maxAnswer}
	reader := bufio.NewReader(head)
	for range maxInformational {
		resp, err := http.ReadResponse(reader, r)
		if err != nil {
			if head.N <= 0 {
				err = errTooLarge
			}
			return nil, cmp.Or(errWrite, err)
		}
		head.N = maxWire
		switch {
		case resp.StatusCode == http.StatusSwitchingProtocols:
			resp.Body = upgraded{reader, conn}
			return resp, nil
		case resp.StatusCode >= 200:
			resp.Body = answerBody{resp.Body, conn}
			return resp, nil
		}
	}
	return nil, errors.New("only informational answers")
}

// connect dials the server of r, and speaks TLS with it if the URL says so.
func (h httpOnWire) connect(r *http.Request) (net.Conn, error) {
	port := r.URL.Port()
	secure := r.URL.Scheme == "https"
	if port == "" {
		port = "80"
		if secure {
			port = "443"
		}
	}
	conn, err := h.dial(r.Context(), "tcp", net.JoinHostPort(r.URL.Hostname(), port))
	if err != nil || !secure {
		return conn, err
	}
	secured := tls.Client(conn, tlsConfig(r.Context(), r.URL.Hostname()))
	return secured, secured.HandshakeContext(r.Context())
}

// answerBody is the body of an answer; closing it does not read the rest, which may have no end.
type answerBody struct {
	io.Reader
	conn io.Closer
}

// Close closes the connection.
func (b answerBody) Close() error { return b.conn.Close() }

// upgraded is the connection after a 101: what was read too early comes first.
type upgraded struct {
	reader *bufio.Reader
	net.Conn
}

// Read is net.Conn's, after what was read too early.
func (u upgraded) Read(p []byte) (int, error) { return u.reader.Read(p) }
