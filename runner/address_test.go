package runner

import (
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/probes"
)

// asked is a trial whose service is asked at address.
func asked(address string) *trial {
	return &trial{suite: &suite{}, service: experiments.Service{Ready: &experiments.Ready{Spec: probes.Spec{TCP: &probes.TCP{Address: address}}}}}
}

// A port is waited for only when a service of an earlier trial has had it.
func TestAPortThatIsBeingLetGo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().(*net.TCPAddr).AddrPort()
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0"} {
		err = asked(net.JoinHostPort(host, strconv.Itoa(int(address.Port())))).addressFree(t.Context())
		assert.ErrorContains(t, err, address.String()+", where service.ready asks, is in use", host)
	}
	tr := asked(address.String())
	tr.suite.addresses.has(address)
	time.AfterFunc(20*time.Millisecond, func() { _ = l.Close() })
	assert.NoError(t, tr.addressFree(t.Context()))
}

func TestAddressesThatAreNotTheServicesOwn(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	address := taken.Addr().String()
	port := strconv.Itoa(int(netip.MustParseAddrPort(address).Port()))
	for name, d := range map[string]*upstream{
		"a dependency":       {address: address},
		"a dependency's own": {address: "192.0.2.1:1", spec: experiments.Dependency{Listen: "127.0.0.1:" + port}},
	} {
		tr := asked(address)
		tr.dependencies = []*dependency{{upstream: d}}
		assert.NoError(t, tr.addressFree(t.Context()), name)
	}
	assert.NoError(t, asked("192.0.2.1:"+port).addressFree(t.Context()), "another machine")
	logs := asked("")
	logs.service.Ready.Spec = probes.Spec{Log: "up"}
	assert.NoError(t, logs.addressFree(t.Context()), "a line of the log")
}
