package experiments

import (
	"net"
	"strconv"

	"github.com/chaos-startup/chaos/probes"
)

// FixedListen tells whether a proxy has a fixed port, so that trials must run one after the other.
func (f *File) FixedListen() bool {
	for _, d := range f.Dependencies {
		if _, port, err := net.SplitHostPort(d.Listen); err == nil && port != "0" {
			return true
		}
	}
	return false
}

// FixedPort is the port of this machine that service.ready names itself, or 0: then each trial has one of its own, or none. No two trials with
// the same one can run at the same time.
func (t *Trial) FixedPort() int { return fixedPort(t.Service, t.Dependencies) }

func fixedPort(s Service, dependencies []Dependency) int {
	if s.Ready == nil {
		return 0
	}
	port := portHere(s.Ready.Address())
	for _, d := range dependencies {
		if port == portHere(d.Upstream) || port == portHere(d.Listen) {
			return 0 // a dependency is asked
		}
	}
	return port
}

// portHere is the port of an address of this machine, or 0; also where it is a variable.
func portHere(address string) int {
	host, text, err := net.SplitHostPort(address)
	if err != nil || !probes.Here(host) {
		return 0
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return port
}

// serial tells whether trials wait for each other because of a port.
func (p *Plan) serial() bool {
	seen := map[int]bool{}
	for i := range p.Trials {
		port := p.Trials[i].FixedPort()
		if port != 0 && seen[port] {
			return true
		}
		seen[port] = true
	}
	return p.File.FixedListen()
}
