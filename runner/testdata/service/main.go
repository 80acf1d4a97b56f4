// Command service plays the services of the runner's tests. Its arguments are steps, separated by +, which it takes one
// after the other; whatever a step finds out is printed as one line. It decides nothing: tests read what it saw.
//
//	service phase one + open a 127.0.0.1:7 + ask a hello + serve + ready ok + wait
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// service is what the steps share.
type service struct {
	conns map[string]*line
	web   *web
	last  error // of the last step that could fail
}

func main() {
	s := &service{conns: map[string]*line{}}
	for _, step := range steps(os.Args[1:]) {
		if err := s.take(step[0], step[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "service: %s: %v\n", strings.Join(step, " "), err)
			os.Exit(99)
		}
	}
}

// steps cuts the arguments at each +.
func steps(args []string) [][]string {
	var out [][]string
	var step []string
	for _, a := range append(args, "+") {
		if a != "+" {
			step = append(step, a)
			continue
		}
		if len(step) > 0 {
			out = append(out, step)
		}
		step = nil
	}
	return out
}

// take does one step. An error means that the test is wrong.
func (s *service) take(name string, args []string) error {
	if name == "unless" { // unless A B STEP...: the step, if A is not B
		if args[0] == args[1] {
			return nil
		}
		return s.take(args[2], args[3:])
	}
	if name == "many" { // many N STEP...: the step, N times
		n, err := strconv.Atoi(args[0])
		for i := 0; i < n && err == nil; i++ {
			err = s.take(args[1], args[2:])
		}
		return err
	}
	for _, group := range []map[string]func([]string) error{s.words(), s.network(), s.claims(), s.ends()} {
		if f, ok := group[name]; ok {
			return f(args)
		}
	}
	return errors.New("no such step")
}

// words are the steps that print.
func (s *service) words() map[string]func([]string) error {
	return map[string]func([]string) error{
		"say":   func(a []string) error { return say(strings.Join(a, " ")) },
		"phase": func(a []string) error { return say("PHASE " + a[0]) },
		"done":  func(a []string) error { return say("PHASE COMPLETED " + a[0]) },
		"err":   func(a []string) error { return complain(strings.Join(a, " ")) },
		"part":  func(a []string) error { _, err := io.WriteString(os.Stdout, strings.Join(a, " ")); return err },
		"spam":  spam,
		"lines": lines,
	}
}

// say prints one line by one write.
func say(text string) error {
	_, err := io.WriteString(os.Stdout, text+"\n")
	return err
}

// complain prints one line to stderr; ^[ begins an escape sequence.
func complain(text string) error {
	_, err := io.WriteString(os.Stderr, strings.ReplaceAll(text, "^[", "\x1b[")+"\n")
	return err
}

// lines prints a text N times, numbered.
func lines(a []string) error {
	n, err := strconv.Atoi(a[0])
	for i := range n {
		if err == nil {
			err = say(fmt.Sprintf("%s %d", strings.Join(a[1:], " "), i+1))
		}
	}
	return err
}

// spam prints about BYTES in lines of WIDTH bytes, or in one without an end when WIDTH is more.
func spam(a []string) error {
	var size, width int
	if _, err := fmt.Sscan(a[0]+" "+a[1], &size, &width); err != nil {
		return err
	}
	line := strings.Repeat("x", min(size, width-1)) + "\n"
	if width > size {
		line = line[:size]
	}
	block := []byte(strings.Repeat(line, max(1, (64<<10)/len(line))))
	for size > 0 {
		n, err := os.Stdout.Write(block)
		if err != nil {
			return err
		}
		size -= n
	}
	return nil
}

// errno is the name of the error number in err, "ok" or the last part of its text.
func errno(err error) string {
	var number syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, io.EOF):
		return "EOF"
	case !errors.As(err, &number):
		return "error:" + err.Error()
	}
	for n, name := range map[syscall.Errno]string{
		syscall.ECONNREFUSED: "ECONNREFUSED", syscall.ECONNRESET: "ECONNRESET", syscall.ETIMEDOUT: "ETIMEDOUT", syscall.EPIPE: "EPIPE",
	} {
		if number == n {
			return name
		}
	}
	return number.Error()
}
