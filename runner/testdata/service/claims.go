package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// web is what the service says over HTTP: /ready is 503 until it is ready, /work until it can work, /state is its phase as JSON. /slow is
// answered after three seconds, /dial when it has connected to its target.
type web struct {
	mu     sync.Mutex
	answer string // of /ready; "": not ready
	works  bool
	phase  string
	target string // of /dial
	chat   *chat
}

// claims are the steps by which it says how far it is.
func (s *service) claims() map[string]func([]string) error {
	return map[string]func([]string) error{
		"serve":  func([]string) error { return s.serve() },
		"pause":  func(a []string) error { return pause(a[0]) },
		"ready":  func(a []string) error { return s.set(strings.Join(a, " "), nil) },
		"state":  func(a []string) error { return s.set("", &a[0]) },
		"lie":    func(a []string) error { return s.apart(a[0], false) },
		"late":   func(a []string) error { return s.apart(a[0], true) },
		"rest":   func(a []string) error { return rest(a[0]) },
		"chat":   func(a []string) error { return s.web.chat.set(a[0]) },
		"work":   func(a []string) error { return s.work(a[0] == "yes") },
		"notify": func(a []string) error { return notify(strings.Join(a, " ")) },
		"target": func(a []string) error { return s.aim(a[0]) },
		"mark":   func(a []string) error { return mark(a[0]) },
	}
}

// pause is work that takes its time.
func pause(text string) error {
	d, err := time.ParseDuration(text)
	time.Sleep(d)
	return err
}

// serve listens on $PORT.
func (s *service) serve() error {
	s.web = &web{chat: newChat()}
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, s.web) }()
	return nil
}

func (w *web) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	w.mu.Lock()
	answer, phase, works, target := w.answer, w.phase, w.works, w.target
	w.mu.Unlock()
	switch {
	case in.URL.Path == "/ws":
		w.chat.ServeHTTP(out, in)
	case in.URL.Path == "/work" && works:
		fmt.Fprint(out, "done")
	case in.URL.Path == "/slow":
		time.Sleep(3 * time.Second)
	case in.URL.Path == "/dial":
		dialFor(out, target)
	case in.URL.Path == "/state":
		fmt.Fprintf(out, `{"phase":%q}`, phase)
	case in.URL.Path == "/ready" && answer != "":
		fmt.Fprint(out, answer)
	default:
		http.Error(out, "not ready", http.StatusServiceUnavailable)
	}
}

// aim makes an address the target of /dial.
func (s *service) aim(address string) error {
	if err := s.serve(); err != nil {
		return err
	}
	s.web.target = address
	return nil
}

// dialFor answers whether a connection to a dependency can be opened, once, without a retry.
func dialFor(out http.ResponseWriter, address string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadGateway)
		return
	}
	_ = c.Close()
}

// set makes it ready with that answer, or tells a phase.
func (s *service) set(answer string, phase *string) error {
	if s.web == nil {
		if err := s.serve(); err != nil {
			return err
		}
	}
	s.web.mu.Lock()
	defer s.web.mu.Unlock()
	if phase != nil {
		s.web.phase = *phase
		return nil
	}
	s.web.answer = answer
	return nil
}

// apart claims to be ready and can work so long after it, or, late, before it, and prints "truth MICROSECONDS": by its own clock, which it reads
// while nobody is answered.
func (s *service) apart(d string, late bool) error {
	between, err := time.ParseDuration(d)
	if err != nil {
		return err
	}
	if s.web == nil {
		if err := s.serve(); err != nil {
			return err
		}
	}
	first, second := func() { s.web.answer = "ok" }, func() { s.web.works = true }
	if late {
		first, second = second, first
	}
	s.web.mu.Lock()
	began := time.Now()
	first()
	if between > 0 {
		s.web.mu.Unlock()
		time.Sleep(between)
		s.web.mu.Lock()
	}
	truth := time.Since(began)
	if between == 0 {
		truth = 0 // nobody was answered in between
	}
	second()
	s.web.mu.Unlock()
	return say(fmt.Sprintf("truth %d", truth.Microseconds()))
}

// work makes it able to work, or not.
func (s *service) work(works bool) error {
	s.web.mu.Lock()
	defer s.web.mu.Unlock()
	s.web.works = works
	return nil
}

// rest waits.
func rest(d string) error {
	between, err := time.ParseDuration(d)
	time.Sleep(between)
	return err
}

func notify(text string) error {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	if _, err = c.Write([]byte(text)); err != nil {
		return err
	}
	return c.Close()
}

func mark(name string) error {
	answer, err := http.Post(os.Getenv("CHAOS_MARK_URL")+"/"+name, "", nil)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	return say("mark " + name + " " + answer.Status)
}
