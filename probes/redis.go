package probes

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/google/shlex"
)

func redisKind() Kind {
	return Kind{
		Name: "redis",
		Doc: "Asks a Redis server. do is ping (default), set_get (a key of its own is written with a time to live, read back and deleted) " +
			"or a command line; its reply is compared with expect. An error reply (LOADING, NOAUTH, READONLY, ...) never holds.",
		Example: "redis: {address: 127.0.0.1:6379, password: secret, db: 0, do: set_get}",
		used:    func(s Spec) bool { return s.Redis != nil },
		build:   func(s Spec, _ Env) (attempt, error) { return s.Redis.build() },
	}
}

const (
	doPing   = "ping"
	doSetGet = "set_get"
	keyTTL   = "10" // seconds: a probe that is cut off between write and delete leaves its key no longer than this
)

type redisProbe struct {
	Redis
	command []string // nil for set_get
	want    string   // "" is any reply but an error
}

func (r Redis) build() (attempt, error) {
	p := redisProbe{Redis: r, want: r.Expect}
	errs := []error{checkAddress(r.Address)}
	if r.Username != "" && r.Password == "" {
		errs = append(errs, errors.New("username needs a password"))
	}
	if r.DB < 0 {
		errs = append(errs, fmt.Errorf("db %d: expected 0 or more", r.DB))
	}
	switch r.Do {
	case "", doPing:
		p.command = []string{"PING"}
		if p.want == "" {
			p.want = "PONG"
		}
	case doSetGet:
		if r.Expect != "" {
			errs = append(errs, errors.New("expect belongs to a command line; set_get compares with what it wrote"))
		}
	default:
		words, err := shlex.Split(r.Do)
		if err != nil || len(words) == 0 {
			err = fmt.Errorf("do %q: expected ping, set_get or a command line", r.Do)
		}
		p.command, errs = words, append(errs, err)
	}
	return attempt{p.ask, []string{r.Password}}, errors.Join(errs...)
}

// session is one connection to a Redis server.
type session struct {
	io.Writer
	reader  *bufio.Reader
	address string
}

// do sends one command and reads its reply. shown names it in errors; want says what should come.
func (s *session) do(ctx context.Context, shown, want string, args ...string) (string, error) {
	what := fmt.Sprintf("redis %s on %s", shown, s.address)
	err := writeCommand(s, args...)
	got := ""
	if err == nil {
		got, err = readReply(s.reader)
	}
	var said errRedis
	if errors.As(err, &said) {
		return said.Error(), &mismatch{what: what, want: want, got: short(said.Error()), cause: said}
	}
	if err != nil {
		return got, unanswered(ctx, what, want, err)
	}
	return got, nil
}

func (p redisProbe) ask(ctx context.Context) (Answer, error) {
	w, done := newWire(ctx)
	defer done()
	conn, err := w.dial(ctx, "tcp", p.Address)
	if err != nil {
		return Answer{}, unanswered(ctx, "redis on "+p.Address, "a connection", err)
	}
	if p.TLS {
		host, _, _ := net.SplitHostPort(p.Address)
		secure := tls.Client(conn, tlsConfig(ctx, host))
		if err := secure.HandshakeContext(ctx); err != nil {
			return Answer{}, unanswered(ctx, "redis on "+p.Address, "a TLS handshake", err)
		}
		conn = secure
	}
	s := &session{conn, bufio.NewReader(conn), p.Address}
	if got, err := p.open(ctx, s); err != nil {
		return Answer{Body: got}, err
	}
	if p.command == nil {
		return setGet(ctx, s)
	}
	shown := short(strings.Join(p.command, " "))
	want := p.want
	if want == "" {
		want = "a reply"
	}
	got, err := s.do(ctx, shown, want, p.command...)
	if err == nil && p.want != "" && got != p.want {
		err = expected(fmt.Sprintf("redis %s on %s", shown, p.Address), p.want, shortOr(got, "an empty reply"))
	}
	return Answer{Body: got}, err
}

// open logs in and selects the database, as far as the probe says so.
func (p redisProbe) open(ctx context.Context, s *session) (string, error) {
	if p.Password != "" {
		login := []string{"AUTH", p.Password}
		if p.Username != "" {
			login = []string{"AUTH", p.Username, p.Password}
		}
		if got, err := s.do(ctx, "AUTH", "OK", login...); err != nil {
			return got, err
		}
	}
	if p.DB != 0 {
		db := strconv.Itoa(p.DB)
		return s.do(ctx, "SELECT "+db, "OK", "SELECT", db)
	}
	return "", nil
}

// setGet is the round trip: write, read, delete.
func setGet(ctx context.Context, s *session) (Answer, error) {
	key, value := "chaos:probe:"+rand.Text(), rand.Text()
	if got, err := s.do(ctx, "SET", "OK", "SET", key, value, "EX", keyTTL); err != nil {
		return Answer{Body: got}, err
	}
	got, err := s.do(ctx, "GET", "what was written", "GET", key)
	if err == nil && got != value {
		err = expected("redis GET on "+s.address, "what was written", shortOr(got, "an empty reply"))
	}
	deleted, errDel := s.do(ctx, "DEL", "1 key deleted", "DEL", key)
	if errDel == nil && deleted != "1" {
		errDel = expected("redis DEL on "+s.address, "1 key deleted", shortOr(deleted, "an empty reply"))
	}
	if err == nil {
		err = errDel
	}
	return Answer{Body: got}, err
}
