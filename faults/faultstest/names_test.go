package faultstest_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/resolver"
)

// TestNames is the exam of what meets lookups and not connections: through internal/resolver, with Go's own resolver as the client.
func TestNames(t *testing.T) {
	notFound := func(e *net.DNSError) bool { return e.IsNotFound && !e.IsTimeout }
	misbehaves := func(e *net.DNSError) bool { return !e.IsNotFound && !e.IsTimeout }
	for answer, is := range map[string]func(*net.DNSError) bool{
		"nxdomain": notFound, "no_data": notFound, "servfail": misbehaves, "refused": misbehaves,
		"silent": func(e *net.DNSError) bool { return e.IsTimeout }, "slow": nil, "wrong_address": nil,
	} {
		var value any = answer
		if answer == "slow" {
			value = map[string]any{"answer": answer, "delay": delay}
		}
		fault, problems := faults.Parse("dns", value)
		require.Empty(t, problems)
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			examineNames(t, *fault.Behaviour().Resolve, is)
		})
	}
}

// examineNames expects the error while the fault is on; nil: there is an answer, and the fault shows otherwise.
func examineNames(t *testing.T, r faults.Resolution, is func(*net.DNSError) bool) {
	bites := make(chan resolver.Event, 100)
	s, err := resolver.Start(t.Context(), resolver.Config{
		Hosts: []resolver.Host{
			{Dependency: "faulty", Names: []string{"faulty.internal"}, Injections: []resolver.Injection{{ID: "f1", Resolution: r}}},
			{Dependency: "other", Names: []string{"other.internal"}},
		},
		On: func(e resolver.Event) {
			if e.Kind == resolver.Bite {
				bites <- e
			}
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close(context.Background())) })
	truth := []string{s.Address(0).String()}
	require.Equal(t, truth, lookUp(t, s, "faulty.internal", nil), "before")

	s.Arm("f1")
	s.Arm("f1")
	began := time.Now()
	met := lookUp(t, s, "faulty.internal", is)
	assert.GreaterOrEqual(t, time.Since(began), r.Delay)
	switch {
	case is != nil:
	case r.Answer == faults.WrongAddress:
		assert.Equal(t, []string{s.Wrong(0).String()}, met)
	default:
		assert.Equal(t, truth, met)
	}
	assert.Equal(t, []string{s.Address(1).String()}, lookUp(t, s, "other.internal", nil), "another dependency")
	assert.Len(t, bites, 1)
	s.Lift("f1")
	s.Lift("f1")
	assert.Equal(t, truth, lookUp(t, s, "faulty.internal", nil), "after the lift")
}

// lookUp asks s for a name. A client that gives up after the silence of a fault need not wait for longer.
func lookUp(t *testing.T, s *resolver.Resolver, name string, is func(*net.DNSError) bool) []string {
	t.Helper()
	limit := patience
	if is != nil && is(&net.DNSError{IsTimeout: true}) {
		limit = silence
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	client := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Addr().String())
	}}
	met, err := client.LookupHost(ctx, name)
	if is == nil {
		require.NoError(t, err)
		return met
	}
	var dns *net.DNSError
	require.ErrorAs(t, err, &dns)
	assert.True(t, is(dns), "%+v", dns)
	return nil
}
