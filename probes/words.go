package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// noAnswer is the cause of a context whose time was over.
type noAnswer struct{ after time.Duration }

func (n noAnswer) Error() string { return fmt.Sprintf("no answer within %s", n.after) }

// Is makes a probe's timeout recognisable as context.DeadlineExceeded.
func (noAnswer) Is(target error) bool { return target == context.DeadlineExceeded }

// mismatch is the error of an attempt, in the same words for every kind of probe.
type mismatch struct {
	what, want, got string
	cause           error
}

func (m *mismatch) Error() string {
	return fmt.Sprintf("%s: expected %s, got %s", m.what, m.want, m.got)
}
func (m *mismatch) Unwrap() error { return m.cause }

// expected returns the error that what was asked, want was expected and got came instead.
func expected(what, want, got string) error { return &mismatch{what: what, want: want, got: got} }

// unanswered returns the error that what was asked, want was expected and err came instead of an answer.
func unanswered(ctx context.Context, what, want string, err error) error {
	got, cause := why(ctx, err)
	return &mismatch{what: what, want: want, got: got, cause: cause}
}

var errTooLarge = errors.New("more bytes than a probe reads")

// plain are the causes that libraries wrap in many words, in the few that a reader needs.
var plain = []struct {
	err  error
	text string
}{
	{syscall.ECONNREFUSED, "connection refused"},
	{syscall.ECONNRESET, "connection reset"},
	{syscall.EPIPE, "connection closed while sending"},
	{syscall.ETIMEDOUT, "connection timed out"},
	{syscall.ENETUNREACH, "network is unreachable"},
	{syscall.EHOSTUNREACH, "no route to host"},
	{errTooLarge, "more bytes than a probe reads"},
}

// why says in plain words why there was no answer, and returns the error that says it to errors.Is.
func why(ctx context.Context, err error) (string, error) {
	for _, p := range plain {
		if errors.Is(err, p.err) {
			return p.text, err
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return stopped(cause, err), cause
	}
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &dns):
		return "no address for the name " + dns.Name, err
	case errors.As(err, &cert):
		return "a TLS certificate that cannot be trusted: " + short(cert.Err.Error()), err
	case errors.As(err, &record):
		return "an answer that is not TLS", err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "a closed connection", err
	}
	text := innermost(err).Error()
	if strings.Contains(text, "server gave HTTP response to HTTPS client") {
		return "an answer that is not TLS", err
	}
	for _, prefix := range []string{"net/http: ", "HTTP/1.x transport connection broken: ", "net/http: ", "http: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return short(text), err
}

// stopped names the end of a context; a connection that was never made is said to be one.
func stopped(cause, err error) string {
	var late noAnswer
	var op *net.OpError
	switch {
	case errors.As(cause, &late) && errors.As(err, &op) && op.Op == "dial":
		return fmt.Sprintf("no connection within %s", late.after)
	case errors.Is(cause, context.Canceled):
		return "no answer until it was cancelled"
	case errors.Is(cause, context.DeadlineExceeded) && !errors.As(cause, &late):
		return "no answer in time"
	}
	return cause.Error()
}

// innermost drops what libraries say around an error: it often repeats the URL.
func innermost(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}

// maxShort is how much of an answer an error shows, in characters.
const maxShort = 200

// short makes an answer fit for an error: one line, no control characters, at most 200 characters.
func short(s string) string {
	var b strings.Builder
	count, space := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			space = b.Len() > 0
			continue
		}
		if count >= maxShort {
			return b.String() + "..."
		}
		if space {
			b.WriteByte(' ')
			count++
		}
		if r == utf8.RuneError { // bytes that are no text
			r = '?'
		}
		b.WriteRune(r)
		space = false
		count++
	}
	return b.String()
}

// shortOr is short, with words for an empty answer.
func shortOr(s, empty string) string {
	if s = short(s); s == "" {
		return empty
	}
	return s
}

// hidden is an error whose text shows no secret. What it wraps does not, either, as long as it is only compared.
type hidden struct {
	text string
	err  error
}

func (h hidden) Error() string { return h.text }
func (h hidden) Unwrap() error { return h.err }

// hide takes the secrets out of an error's text: a server may echo what it was sent.
func hide(err error, secrets []string) error {
	text := err.Error()
	for _, s := range secrets {
		if len(s) < 4 { // it would only tear words apart
			continue
		}
		text = strings.ReplaceAll(text, s, "xxxxx")
		for cut := len(s) - 1; cut >= 4; cut-- { // the part of it before which short cut
			text = strings.ReplaceAll(text, s[:cut]+"...", "xxxxx...")
		}
	}
	if text == err.Error() {
		return err
	}
	return hidden{text, err}
}

var sensitive = regexp.MustCompile(`(?i)auth|cookie|token|secret|passw|pwd|api.?key|credential|signature`)

// safeURL returns u as it may be shown, and its secrets: the password and the values of query parameters named like one.
func safeURL(u *url.URL) (string, []string) {
	var secrets []string
	if pw, ok := u.User.Password(); ok {
		secrets = append(secrets, pw, url.QueryEscape(pw), url.PathEscape(pw))
	}
	shown := *u
	if query := u.Query(); len(query) > 0 {
		changed := false
		for name, values := range query {
			if sensitive.MatchString(name) {
				secrets, changed = append(secrets, values...), true
				query[name] = []string{"xxxxx"}
			}
		}
		if changed {
			shown.RawQuery = query.Encode()
		}
	}
	return shown.Redacted(), secrets
}

// headerSecrets returns the values of the headers that are named like a secret; of "Bearer x" also x.
func headerSecrets(headers map[string]string) []string {
	var secrets []string
	for name, value := range headers {
		if sensitive.MatchString(name) {
			_, after, _ := strings.Cut(value, " ")
			secrets = append(secrets, value, after)
		}
	}
	return secrets
}
