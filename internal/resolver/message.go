package resolver

import (
	"net/netip"
	"strings"

	"github.com/chaos-startup/chaos/faults"
	"golang.org/x/net/dns/dnsmessage"
)

// question is a query as it came.
type question struct {
	header dnsmessage.Header
	asked  dnsmessage.Question
	edns   bool
	raw    []byte
}

// parse reads a query; ok is false for what is none.
func parse(raw []byte) (q question, ok bool) {
	var p dnsmessage.Parser
	header, err := p.Start(raw)
	if err != nil || header.Response {
		return q, false
	}
	asked, err := p.Question()
	if err != nil {
		return q, false
	}
	return question{header: header, asked: asked, edns: hasOPT(&p), raw: raw}, true
}

// hasOPT looks for EDNS: a server that knows it must answer so, or some programs ask once more without it.
func hasOPT(p *dnsmessage.Parser) bool {
	if p.SkipAllQuestions() != nil || p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return false
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return false
		}
		if h.Type == dnsmessage.TypeOPT {
			return true
		}
		if p.SkipAdditional() != nil {
			return false
		}
	}
}

// name is what was asked for, in lower case and without the dot at the end.
func (q question) name() string {
	return strings.ToLower(strings.TrimSuffix(q.asked.Name.String(), "."))
}

// kind is the type that was asked for, as it is written: AAAA, or TYPE65.
func (q question) kind() string { return strings.TrimPrefix(q.asked.Type.String(), "Type") }

// plain says whether it is an ordinary question about the Internet.
func (q question) plain() bool {
	return q.header.OpCode == 0 && q.asked.Class == dnsmessage.ClassINET
}

// reply answers with a code and, if it is valid, an address. Nothing of it may be cached: what is true in one phase is not in the next.
func (q question) reply(code dnsmessage.RCode, address netip.Addr) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{
		ID: q.header.ID, Response: true, OpCode: q.header.OpCode, RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true,
		CheckingDisabled: q.header.CheckingDisabled, RCode: code,
	})
	b.EnableCompression()
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(q.asked); err != nil {
		return nil, err
	}
	if address.IsValid() {
		if err := b.StartAnswers(); err != nil {
			return nil, err
		}
		h := dnsmessage.ResourceHeader{Name: q.asked.Name, Class: dnsmessage.ClassINET}
		if err := b.AResource(h, dnsmessage.AResource{A: address.As4()}); err != nil {
			return nil, err
		}
	}
	if q.edns {
		if err := b.StartAdditionals(); err != nil {
			return nil, err
		}
		var h dnsmessage.ResourceHeader
		if err := h.SetEDNS0(largestDatagram, dnsmessage.RCodeSuccess, false); err != nil {
			return nil, err
		}
		if err := b.OPTResource(h, dnsmessage.OPTResource{}); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

// answer writes what a declared name is answered. Its truth is one IPv4 address and nothing else.
func (r *Resolver) answer(h *host, q question, what faults.NameAnswer) ([]byte, error) {
	code, address := dnsmessage.RCodeSuccess, netip.Addr{}
	switch what {
	case faults.NXDomain:
		code = dnsmessage.RCodeNameError
	case faults.ServFail:
		code = dnsmessage.RCodeServerFailure
	case faults.RefuseQuery:
		code = dnsmessage.RCodeRefused
	case faults.Truth:
		address = r.Address(h.index)
	case faults.WrongAddress:
		address = r.Wrong(h.index)
	case faults.NoData, faults.Silent:
	}
	if q.asked.Type != dnsmessage.TypeA {
		address = netip.Addr{}
	}
	return q.reply(code, address)
}

// result says in one word what the decision means for a query.
func (q question) result(d decision) string {
	switch {
	case d.answer != faults.Truth:
		return d.answer.String()
	case d.delay > 0:
		return "delayed"
	case q.asked.Type != dnsmessage.TypeA:
		return faults.NoData.String()
	}
	return "answered"
}
