package resolver

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/faults"
	"golang.org/x/net/dns/dnsmessage"
)

const (
	// maxServing bounds the queries that are being answered, or held, at a time. More are dropped by UDP, as a busy server would, and wait by TCP.
	maxServing = 1024
	// largestDatagram is what EDNS says that we take.
	largestDatagram = 1232
	largestMessage  = 64 << 10
)

// serveUDP takes queries until the socket is closed.
func (r *Resolver) serveUDP(ctx context.Context, s *socket) {
	buf := make([]byte, largestMessage)
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		if ended(err) {
			return
		}
		if err != nil {
			if !r.pause() { // a shortage, or an answer to somebody who is gone
				return
			}
			continue
		}
		q, ok := parse(append([]byte(nil), buf[:n]...))
		if !ok {
			continue
		}
		select {
		case r.slots <- struct{}{}:
		default:
			continue
		}
		r.work.Go(func() {
			defer func() { <-r.slots }()
			if reply := r.handle(ctx, q, "udp"); reply != nil {
				_, _ = s.udp.WriteToUDPAddrPort(reply, from) // to somebody who is gone, perhaps
			}
		})
	}
}

// pause waits a moment before the next try; false: the resolver was closed.
func (r *Resolver) pause() bool {
	select {
	case <-time.After(10 * time.Millisecond):
		return true
	case <-r.done:
		return false
	}
}

// serveTCP takes connections until the socket is closed.
func (r *Resolver) serveTCP(ctx context.Context, s *socket) {
	for {
		c, err := s.tcp.Accept()
		if ended(err) {
			return
		}
		if err != nil {
			if !r.pause() {
				return
			}
			continue
		}
		r.work.Go(func() { r.converse(ctx, c) })
	}
}

// converse answers the queries of one connection, each as soon as it can be.
func (r *Resolver) converse(ctx context.Context, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	var writing sync.Mutex
	var answering sync.WaitGroup
	defer func() { _ = c.Close() }() // behind the last answer
	defer answering.Wait()
	for {
		raw, err := readFramed(c)
		if err != nil {
			return
		}
		q, ok := parse(raw)
		if !ok {
			return
		}
		select {
		case r.slots <- struct{}{}:
		case <-r.done:
			return
		}
		answering.Go(func() {
			defer func() { <-r.slots }()
			if reply := r.handle(ctx, q, "tcp"); reply != nil {
				writing.Lock()
				defer writing.Unlock()
				_ = writeFramed(c, reply)
			}
		})
	}
}

// readFramed reads a message behind its length, as DNS by TCP has it.
func readFramed(c io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	raw := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(c, raw)
	return raw, err
}

func writeFramed(c io.Writer, raw []byte) error {
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(raw))) // #nosec G115 -- a message
	_, err := c.Write(append(framed, raw...))
	return err
}

// handle returns the answer to a query; nil: none is given.
func (r *Resolver) handle(ctx context.Context, q question, network string) []byte {
	if !q.plain() {
		return r.pass(ctx, q, network)
	}
	name := q.name()
	h := r.find(name)
	if h == nil {
		r.note(name)
		return r.pass(ctx, q, network)
	}
	var d decision
	decide := func() { d = r.decide(h, queryOf(name, q.asked.Type)) }
	if r.c.Gate != nil {
		r.c.Gate(decide)
	} else {
		decide()
	}
	result := q.result(d)
	for _, f := range d.first {
		r.tell(Event{Kind: Bite, At: d.at, Dependency: h.Dependency, Fault: f.ID, Text: q.kind() + " of " + name + ": " + told(result, d)})
	}
	r.tell(Event{Kind: Asked, At: d.at, Dependency: h.Dependency, Name: name, Type: q.kind(), Result: result})
	answer, ok := r.wait(d)
	if !ok || answer == faults.Silent {
		return nil
	}
	reply, err := r.answer(h, q, answer)
	if err != nil {
		return nil // a name that was read can be written
	}
	return reply
}

// told says what a query met.
func told(result string, d decision) string {
	if d.delay > 0 && d.answer != faults.Truth {
		return result + " after " + d.delay.String()
	}
	if d.delay > 0 {
		return "late by " + d.delay.String()
	}
	return result
}

// note tells of a name that nobody declared, once.
func (r *Resolver) note(name string) {
	r.mu.Lock()
	known := r.foreign[name] || len(r.foreign) >= maxForeign
	if !known {
		r.foreign[name] = true
	}
	r.mu.Unlock()
	if !known {
		r.tell(Event{Kind: Foreign, At: time.Now(), Name: name})
	}
}

// pass asks the system's nameservers; SERVFAIL when none answers.
func (r *Resolver) pass(ctx context.Context, q question, network string) []byte {
	r.mu.Lock()
	r.passed++
	r.mu.Unlock()
	if reply := r.c.System.ask(ctx, q, network); reply != nil {
		return reply
	}
	reply, err := q.reply(dnsmessage.RCodeServerFailure, none)
	if err != nil {
		return nil
	}
	return reply
}
