package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// line is an open connection to a server that answers each line.
type line struct {
	net.Conn
	answers *bufio.Reader
}

// limit keeps a test that went wrong from hanging for ever.
const limit = time.Minute

func dial(address string) (*line, error) {
	c, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		return nil, err
	}
	return &line{Conn: c, answers: bufio.NewReader(c)}, nil
}

// ask sends one line and waits for the answer.
func (l *line) ask(text string) error {
	if err := l.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := l.Write([]byte(text + "\n")); err != nil {
		return err
	}
	answer, err := l.answers.ReadString('\n')
	if err == nil && answer != text+"\n" {
		return fmt.Errorf("asked %q, got %q", text, answer)
	}
	return err
}

// network are the steps that connect. Each prints what it met.
func (s *service) network() map[string]func([]string) error {
	return map[string]func([]string) error{
		"open":  func(a []string) error { return s.open(a[0], a[1]) },
		"knock": func(a []string) error { return s.knock(a[0], a[1], a[2]) },
		"close": func(a []string) error { return s.conns[a[0]].Close() },
		"ask":   func(a []string) error { return s.ask(a[0], a[1]) },
		"retry": func(a []string) error { return s.retry(a[0], a[1]) },
		"until": func(a []string) error { return s.until(a[0], a[1]) },
		"crowd": func(a []string) error { return crowd(a[0], a[1]) },
		"ring":  func(a []string) error { return ring(strings.Join(a, " ")) },
		"look":  func(a []string) error { return s.look(a[0], a[1]) },
		"find":  func(a []string) error { return find(a[0]) },
		"must":  func([]string) error { return s.must() },
	}
}

// open connects and prints "open ID ok" or the errno.
func (s *service) open(id, address string) error {
	l, err := dial(address)
	if err == nil {
		s.conns[id] = l
	}
	s.last = err
	return say("open " + id + " " + errno(err))
}

// knock is open with a time limit: it prints "knock ID ok", "knock ID timeout" or the errno.
func (s *service) knock(id, address, limit string) error {
	within, err := time.ParseDuration(limit)
	if err != nil {
		return err
	}
	c, err := net.DialTimeout("tcp", address, within)
	if err == nil {
		s.conns[id] = &line{Conn: c, answers: bufio.NewReader(c)}
	}
	s.last = err
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return say("knock " + id + " timeout")
	}
	return say("knock " + id + " " + errno(err))
}

// ask prints "ask ID TEXT ok", or the errno, and the microseconds it took.
func (s *service) ask(id, text string) error {
	l := s.conns[id]
	if l == nil {
		s.last = fmt.Errorf("%s is not open", id)
		return say("ask " + id + " " + text + " closed 0")
	}
	began := time.Now()
	s.last = l.ask(text)
	return say(fmt.Sprintf("ask %s %s %s %d", id, text, errno(s.last), time.Since(began).Microseconds()))
}

// look looks a name up and prints "look ID ok ADDRESS" or what went wrong.
func (s *service) look(id, name string) error {
	addresses, err := net.LookupHost(name)
	if s.last = err; err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return say("look " + id + " " + dns.Err)
		}
		return say("look " + id + " " + err.Error())
	}
	return say("look " + id + " ok " + strings.Join(addresses, " "))
}

// find looks a name up until there is an address, and prints how many times that took.
func find(name string) error {
	for n := 1; ; n++ {
		if _, err := net.LookupHost(name); err == nil {
			return say(fmt.Sprintf("find %s ok %d", name, n))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// retry connects and asks until there is an answer, and prints how many attempts that took.
func (s *service) retry(id, address string) error {
	for n := 1; ; n++ {
		l, err := dial(address)
		if err == nil {
			err = l.ask("retry")
		}
		if err == nil {
			s.conns[id] = l
			return say(fmt.Sprintf("retry %s ok %d", id, n))
		}
		if l != nil {
			_ = l.Close()
		}
		time.Sleep(10 * time.Millisecond) // a client that does not storm
	}
}

// until connects and asks until that fails, and prints how.
func (s *service) until(id, address string) error {
	for {
		l, err := dial(address)
		if err == nil {
			err = l.ask("until")
			_ = l.Close()
		}
		if err != nil {
			return say("until " + id + " " + errno(err))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// crowd makes N connections, one after the other, and prints what each met in one line: "crowd 1:ok 2:ECONNRESET".
func crowd(number, address string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	met := []string{"crowd"}
	for i := range n {
		l, err := dial(address)
		if err == nil {
			err = l.ask("crowd")
			_ = l.Close()
		}
		met = append(met, fmt.Sprintf("%d:%s", i+1, errno(err)))
	}
	return say(strings.Join(met, " "))
}

// ring tells the test, at $BELL, and waits until it has heard.
func ring(text string) error {
	l, err := dial(os.Getenv("BELL"))
	if err != nil {
		return err
	}
	return l.ask(text)
}

// must exits with 3 when the last step failed.
func (s *service) must() error {
	if s.last == nil {
		return nil
	}
	_ = say("FATAL " + errno(s.last))
	os.Exit(3)
	return nil
}
