package resolver

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// none is no address.
var none netip.Addr

const (
	maxNameservers = 3               // as in every libc
	tryTimeout     = 2 * time.Second // for one nameserver
	passTimeout    = 4 * time.Second // for all of them: less than the 5 s after which programs ask again
)

// System is what a resolv.conf says.
type System struct {
	Nameservers []netip.AddrPort
	Search      []string // lower case, without the dot at the end
	others      []string // its other lines: options, sortlist
}

// ReadSystem reads a resolv.conf. A missing one has no nameservers; what is not understood is kept for Conf and otherwise left alone.
func ReadSystem(path string) (System, error) {
	f, err := os.Open(path) // #nosec G304 -- the system's
	if os.IsNotExist(err) {
		return System{}, nil
	}
	if err != nil {
		return System{}, fmt.Errorf("read the system's nameservers: %w", err)
	}
	defer func() { _ = f.Close() }()
	var s System
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		s.line(lines.Text())
	}
	if err := lines.Err(); err != nil {
		return System{}, fmt.Errorf("read the system's nameservers in %s: %w", path, err)
	}
	return s, nil
}

func (s *System) line(text string) {
	words := strings.Fields(text)
	if len(words) < 2 || strings.HasPrefix(words[0], "#") || strings.HasPrefix(words[0], ";") {
		return
	}
	switch words[0] {
	case "nameserver":
		if a, err := netip.ParseAddr(words[1]); err == nil && len(s.Nameservers) < maxNameservers {
			s.Nameservers = append(s.Nameservers, netip.AddrPortFrom(a, port))
		}
	case "search", "domain": // the last one wins
		s.Search = nil
		for _, domain := range words[1:] {
			if domain = strings.ToLower(strings.Trim(domain, ".")); domain != "" {
				s.Search = append(s.Search, domain)
			}
		}
	default:
		s.others = append(s.others, strings.Join(words, " "))
	}
}

// Conf is a resolv.conf that names the resolver at address and is otherwise the system's.
func (s System) Conf(address netip.Addr) string {
	text := "# made by chaos for one trial\nnameserver " + address.String() + "\n"
	if len(s.Search) > 0 {
		text += "search " + strings.Join(s.Search, " ") + "\n"
	}
	for _, line := range s.others {
		text += line + "\n"
	}
	return text
}

// ask passes a query on as it is and returns the first answer; nil: there is none.
func (s System) ask(ctx context.Context, q question, network string) []byte {
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	for _, ns := range s.Nameservers {
		if reply, err := askOne(ctx, ns, q, network); err == nil {
			return reply
		}
	}
	return nil
}

func askOne(ctx context.Context, ns netip.AddrPort, q question, network string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, network, ns.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp" {
		if err := writeFramed(c, q.raw); err != nil {
			return nil, err
		}
		return readFramed(c)
	}
	if _, err := c.Write(q.raw); err != nil {
		return nil, err
	}
	buf := make([]byte, largestMessage)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		if n >= 2 && buf[0] == q.raw[0] && buf[1] == q.raw[1] { // else a late answer to somebody else
			return buf[:n], nil
		}
	}
}
