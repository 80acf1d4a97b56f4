package faults

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/rand/v2"
	"slices"
	"time"
)

// The ways in which TLS fails that are not a defect of the certificate.
const (
	clientCertificate = "client_certificate"
	oldVersion        = "old_version"
	noTLS             = "plaintext"
	handshakeAlert    = "alert"
	handshakeCut      = "handshake_cut"
	handshakeReset    = "handshake_reset"
	handshakeHang     = "handshake_hang"
)

// tlsTexts are the ways in which TLS fails, in the order of the documentation, with what a bite says.
var tlsTexts = []struct{ kind, text string }{
	{string(expired), "presented an expired certificate"},
	{string(notYetValid), "presented a certificate that is not valid yet"},
	{string(wrongName), "presented a certificate for " + otherName},
	{string(unknownCA), "presented a certificate of an unknown authority"},
	{string(selfSigned), "presented a self-signed certificate"},
	{string(missingIntermediate), "presented a certificate without the intermediate one"},
	{string(commonNameOnly), "presented a certificate that names its host as the common name alone"},
	{string(wrongUsage), "presented a certificate that is for clients"},
	{clientCertificate, "asked for a client certificate"},
	{oldVersion, "offered nothing newer than TLS 1.1"},
	{noTLS, "answered without TLS"},
	{handshakeAlert, "ended the handshake with the alert handshake_failure"},
	{handshakeCut, "closed the connection in the handshake"},
	{handshakeReset, "reset the connection in the handshake"},
	{handshakeHang, "left the handshake unanswered"},
}

// tlsFailure is a dependency whose TLS is broken.
func tlsFailure() Kind {
	var kinds []string
	for _, t := range tlsTexts {
		kinds = append(kinds, t.kind)
	}
	return Kind{
		Name: "tls",
		Doc: "A dependency whose TLS is wrong in exactly one way. Certificates: `expired` yesterday (nobody renewed it), `not_yet_valid` until tomorrow (a clock, or a rollout " +
			"too early), `wrong_name` (for other.invalid: the wrong host behind a name), `unknown_ca`, `self_signed`, `missing_intermediate` (the server sends its own certificate " +
			"alone; browsers forgive that), `common_name_only` (no subject alternative name: Go refuses it, OpenSSL does not), `wrong_usage` (issued for clients). Handshakes: " +
			"`client_certificate` (it wants one that the service does not have), `old_version` (TLS 1.1 and older), `plaintext` (nothing there speaks TLS: HTTP's 400, or N to " +
			"PostgreSQL's SSLRequest), `alert` (handshake_failure), `handshake_cut` (FIN instead of an answer), `handshake_reset` (RST), `handshake_hang` (no answer). " +
			"Certificates are signed by a test authority that is made anew for each run; a service that trusts it (`SSL_CERT_FILE: ${ca.file}`, " +
			"`NODE_EXTRA_CA_CERTS`, `sslrootcert`; chaos proxy hands it out with `--ca-file` and at /ca.pem) meets exactly that one defect, one that does not may report the unknown authority instead (Go looks at dates and names first, OpenSSL " +
			"at the chain). The names and the ALPN of the real server's certificate are kept, and a service that does not check goes on to the real dependency, whose own certificate is " +
			"not checked: it must not ask for one of the client's. TLS begins at once, or behind what PostgreSQL, MySQL or NATS say before it; connections without TLS, and those that " +
			"were open before, pass untouched and are no bite. At the lift a connection that went on is closed in order (close_notify, FIN): its keys are the proxy's, so it cannot go on " +
			"without it; a handshake that hangs goes on with the dependency; new connections meet the real certificate.",
		Client:  "connect succeeds and the handshake fails: the client's certificate error, an alert, the end of the stream, ECONNRESET or silence. A client that does not check works.",
		Example: "{on: auth, during: dependencies, fault: {tls: expired}}",
		Params:  []Param{{Name: "kind", Type: TypeEnum, Default: kinds[0], Enum: kinds, Doc: "What is wrong."}},
		Behave: func(s Spec) Behaviour {
			kind := s.Text("kind")
			at := max(0, slices.Index(kinds, kind))
			return Behaviour{Converse: func(_ *rand.Rand, whole bool) Conversation {
				return &tlsConversation{kind: kind, text: tlsTexts[at].text, untouched: !whole}
			}}
		},
	}
}

// tlsConversation is the fault's part in one connection.
type tlsConversation struct {
	kind, text string
	untouched  bool // it is none of its business, or not any more
	opening    opening
}

// Run waits for the service's ClientHello and answers it in place of the dependency.
func (t *tlsConversation) Run(talk Talk) {
	if t.untouched {
		goOnUntouched(talk)
		return
	}
	if t.kind == noTLS {
		t.opening.refuse = func(n int) {
			talk.Bite(n, t.text)
			talk.Pass(Downstream, Chunk{Data: []byte("N"), At: time.Now()})
		}
	}
	speaksTLS := t.opening.hello(talk)
	t.untouched = true
	if !speaksTLS {
		goOnUntouched(talk)
		return
	}
	t.answer(talk)
}

// answer treats a ClientHello, which is held.
func (t *tlsConversation) answer(talk Talk) {
	hello := t.opening.held
	say := func(answer []byte) {
		talk.Bite(len(hello), t.text)
		if answer != nil {
			talk.Pass(Downstream, Chunk{Data: answer, At: time.Now()})
		}
	}
	switch t.kind {
	case noTLS:
		say([]byte(httpRefusal))
		talk.Close()
	case handshakeAlert:
		say(fatalAlert)
		talk.Close()
	case handshakeCut:
		say(nil)
		talk.Close()
	case handshakeReset:
		say(nil)
		talk.Reset()
	case handshakeHang:
		say(nil)
		t.hang(talk)
	default:
		t.present(talk, hello)
	}
}

// fatalAlert is the TLS record of the alert handshake_failure, as a server sends it that found nothing in common with the client.
var fatalAlert = []byte{21, 3, 3, 0, 2, 2, 40}

// httpRefusal is what net/http's server says to TLS on a plain port; others do not say much more.
const httpRefusal = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n"

// hang keeps everything from both sides until the lift, and then lets it go on.
func (t *tlsConversation) hang(talk Talk) {
	for {
		d, c, ok := talk.Next()
		switch {
		case !ok:
			t.opening.other(talk)
			return
		case d == Downstream && c.Data != nil: // not an answer to anything that has reached the dependency
			talk.Pass(d, c)
		case c.Data == nil, len(t.opening.held)+len(c.Data) > mostWaiting:
			talk.Close()
			return
		default:
			t.opening.held = append(t.opening.held, c.Data...)
		}
	}
}

// present answers with a server's part of the handshake, and serves who takes it.
func (t *tlsConversation) present(talk Talk, hello []byte) {
	v := &verdict{Talk: talk, text: t.text, bytes: len(hello)}
	plain, err := terminate(v, hello, termination{defect: t.defect(), adjust: t.adjust(v), presents: v.presented})
	if err == nil {
		serve(plain, v)
		err = plain.failure
	}
	v.failed(err)
	plain.Close()
}

// serve passes the plaintext on, for a service that has not refused yet.
func serve(plain *plainTalk, v *verdict) {
	for {
		d, c, ok := plain.Next()
		switch {
		case !ok:
			return
		case d == Upstream && c.Data == nil:
			v.tell(": the service closed the connection")
		case d == Upstream:
			v.tell(": the service went on")
		}
		plain.Pass(d, c)
	}
}

// defect is what is wrong with the certificate, if that is what is wrong.
func (t *tlsConversation) defect() defect {
	if t.kind == clientCertificate || t.kind == oldVersion {
		return flawless
	}
	return defect(t.kind)
}

// adjust changes the server for the failures that are not the certificate's.
func (t *tlsConversation) adjust(v *verdict) func(*tls.Config, *tls.ClientHelloInfo) error {
	return func(c *tls.Config, hello *tls.ClientHelloInfo) error {
		switch t.kind {
		case clientCertificate:
			a, err := theAuthority()
			if err != nil {
				return err
			}
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			c.ClientCAs.AddCert(a.stranger.Certificate)
		case oldVersion:
			c.MaxVersion = tls.VersionTLS11
			if !slices.ContainsFunc(hello.SupportedVersions, func(v uint16) bool { return v <= tls.VersionTLS11 }) {
				v.presented()
				v.Pass(Downstream, Chunk{Data: oldServerHello(hello.CipherSuites), At: time.Now()})
				return awaitRefusal(v)
			}
		}
		return nil
	}
}

// awaitRefusal waits until a service that was answered in an old version has gone.
func awaitRefusal(v *verdict) error {
	for {
		switch d, c, ok := v.Next(); {
		case !ok:
			return errMute
		case d == Upstream && c.Data == nil:
			v.failed(io.EOF)
			return errMute
		case v.told && d == Upstream: // it has refused
			return errMute
		}
	}
}

// oldServerHello is the first answer of a server from before TLS 1.2, which knows nothing of the extension that lists the client's versions.
// crypto/tls would answer with an alert.
func oldServerHello(offered []uint16) []byte {
	suite := uint16(tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	for _, s := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA} {
		if slices.Contains(offered, s) {
			suite = s
		}
	}
	const length = 2 + 32 + 1 + 2 + 1
	b := []byte{22, 3, 1, 0, 4 + length, 2, 0, 0, length, 3, 1}
	b = append(b, make([]byte, 32)...) // nobody gets so far as to need that it is random
	return append(b, 0, byte(suite>>8), byte(suite), 0)
}
