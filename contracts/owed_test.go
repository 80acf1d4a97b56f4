package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/timeline"
)

// One that claimed to be ready before the fault bit is owed the time in which it may end.
func TestOwed(t *testing.T) {
	ends := Expectation{FailFast: &FailFast{Within: seconds(5)}}
	gives := Expectation{GiveUp: &GiveUp{After: seconds(1), Within: seconds(7)}}
	ready := tl(exec(0), begin(10, "init"), claims(50), begin(100, "database"), armed(100, "f1"), bite(110, "f1"))
	for _, c := range []struct {
		name   string
		expect Expectation
		events []timeline.Event
		until  float64
	}{
		{"may still end", ends, ready, 5110},
		{"the default", Expectation{FailFast: &FailFast{}}, ready, 10110},
		{"may still give up", gives, ready, 7110},
		{"must also do something else", Expectation{AllOf: []Expectation{ends, {Expr: "true"}}}, ready, 5110},
		{"one or the other", Expectation{AnyOf: []Expectation{ends, gives}}, ready, 7110},
		{"something else would do", Expectation{AnyOf: []Expectation{ends, {Tolerate: &Tolerate{}}}}, ready, 0},
		{"nothing of the kind", Expectation{Recover: &Recover{}}, ready, 0},
		{"has done it", ends, tl(ready, exits(200, 3)), 0},
		{"was ready only after the bite", ends, tl(bitten(), claims(200)), 0},
		{"claimed again after the bite", ends, tl(ready, lost(200), claims(300)), 0},
		{"not bitten", ends, tl(exec(0), claims(50), armed(100, "f1")), 0},
		{"nothing seen", ends, nil, 0},
		{"started again", ends, tl(ready, timeline.Event{MS: 300, Kind: timeline.Again}, exec(301), claims(400)), 0},
	} {
		until, owed := Owed(refused(c.expect), c.events)
		assert.Equal(t, c.until > 0, owed, c.name)
		assert.InDelta(t, c.until, until, 0, c.name)
	}
}
