// Package traffic is the pure part of production-like use of a service: when requests should be sent, of which kind each is, and what they
// come to in figures.
//
// The load is open: a request has an intended moment that does not depend on how earlier ones are answered, and its latency counts from that
// moment, so that a service which stalls can't hide it (no coordinated omission). Nothing here sends, waits, reads a clock or judges.
package traffic
