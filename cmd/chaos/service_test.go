package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// serviceFlags are the weaknesses that a test asks the service for.
type serviceFlags struct {
	needs                             string
	swallow, retry, ignoreTerm, spawn bool
	exit                              int
	phases                            bool
	bell, echo, stay                  string
	silent                            bool
}

// service is the main function of the service under test. Without flags it connects to nothing and is ready at once.
func service() {
	var f serviceFlags
	flags := flag.NewFlagSet("svc", flag.ExitOnError)
	flags.StringVar(&f.needs, "needs", "", "host:port of a Redis that must answer PING before it is ready")
	flags.BoolVar(&f.swallow, "swallow", false, "be ready although what it needs does not answer")
	flags.BoolVar(&f.retry, "retry", false, "try again until what it needs answers")
	flags.BoolVar(&f.ignoreTerm, "ignore-term", false, "do not end on SIGTERM")
	flags.BoolVar(&f.spawn, "spawn", false, "start a child that leaves the process group and outlives it")
	flags.IntVar(&f.exit, "exit", -1, "end at once with this code")
	flags.BoolVar(&f.phases, "phases", false, "print phase lines")
	flags.StringVar(&f.bell, "bell", "", "host:port that is told how far it is; it goes on when that answers")
	flags.StringVar(&f.echo, "echo", "", "be a dependency: answer +PONG to every line on this host:port")
	flags.StringVar(&f.stay, "stay", "", "tell the bell this, and do nothing else until it is killed")
	flags.BoolVar(&f.silent, "silent", false, "never become ready")
	_ = flags.Parse(os.Args[1:])
	if err := f.run(); err != nil {
		fmt.Fprintln(os.Stderr, "svc:", err)
		os.Exit(3)
	}
}

func (f serviceFlags) run() error {
	switch {
	case f.exit >= 0:
		fmt.Println("svc: ends at once")
		os.Exit(f.exit)
	case f.echo != "":
		return f.serveEcho()
	case f.stay != "":
		signal.Ignore(syscall.SIGTERM)
		if err := f.children(); err != nil {
			return err
		}
		return f.ring(f.stay)
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	if err := f.children(); err != nil {
		return err
	}
	f.say("PHASE connect")
	if err := f.ring("started 127.0.0.1:" + os.Getenv("PORT")); err != nil {
		return err
	}
	if err := f.dependency(); err != nil {
		return err
	}
	f.say("PHASE serve")
	if !f.silent {
		l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
		if err != nil {
			return err
		}
		go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"status":"ok"}`) }))
	}
	for range term {
		if err := f.ring("stopping"); err != nil {
			return err
		}
		if !f.ignoreTerm {
			return nil
		}
	}
	return nil
}

func (f serviceFlags) say(line string) {
	if f.phases {
		fmt.Println(line)
	}
}

// children starts one that only its marker gives away.
func (f serviceFlags) children() error {
	if !f.spawn {
		return nil
	}
	self, err := exec.LookPath("svc")
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-silent", "-ignore-term")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// dependency asks what it needs, once or until it answers.
func (f serviceFlags) dependency() error {
	if f.needs == "" {
		return nil
	}
	for {
		err := ping(f.needs)
		switch {
		case err == nil:
			return nil
		case f.swallow:
			fmt.Fprintln(os.Stderr, "svc: redis does not answer, never mind:", err)
			return nil
		case !f.retry:
			return fmt.Errorf("redis does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func ping(address string) error {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprint(c, "*1\r\n$4\r\nPING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "+PONG") {
		return fmt.Errorf("it answered %q", line)
	}
	return nil
}

// ring tells the test how far it is, and goes on when the test answers or hangs up.
func (f serviceFlags) ring(text string) error {
	if f.bell == "" {
		return nil
	}
	c, err := net.Dial("tcp", f.bell)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintln(c, text); err != nil {
		return err
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return err
	}
	return nil
}

func (f serviceFlags) serveEcho() error {
	if err := f.ring("dependency"); err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.echo)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			for lines := bufio.NewScanner(c); lines.Scan(); {
				if _, err := fmt.Fprint(c, "+PONG\r\n"); err != nil {
					return
				}
			}
		}()
	}
}
