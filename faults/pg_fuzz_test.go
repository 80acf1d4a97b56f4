package faults

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzPostgresError: whatever both sides send, in whatever pieces, and whenever the fault comes and goes: nothing panics, no more than the head of a
// message is kept, and a fault that has nothing to strike passes every byte as it came.
func FuzzPostgresError(f *testing.F) {
	all := func(lines ...heardLine) (out []byte) {
		for _, l := range lines {
			out = append(out, l.data...)
		}
		return out
	}
	f.Add(all(begun[0], begun[2], up(query("select * from orders"))), all(begun[1], begun[3], down(ready('T'))), []byte{8, 1, 200, 30, 255}, true)
	f.Add(all(up(&pgproto3.CancelRequest{})), []byte("E"), []byte{1}, true)
	f.Add(all(up(hello), up(&pgproto3.Parse{Name: "s", Query: "select * from t"}, &pgproto3.Bind{PreparedStatement: "s"}, &pgproto3.Execute{}, &pgproto3.Sync{})),
		all(down(&pgproto3.AuthenticationOk{}, ready('I'), done("ROLLBACK"), ready('E'))), []byte{90, 3, 3, 40}, true)
	f.Add(all(up(query("x"))), all(down(done("SELECT 1"), ready('I'))), []byte{20, 40, 7}, false)
	f.Add([]byte("\x00\x00\xff\xff"), []byte("Z\x7f\xff\xff\xff"), []byte{2}, true)
	f.Fuzz(func(t *testing.T, upstream, downstream, pieces []byte, whole bool) {
		for _, value := range []any{map[string]any{"code": "57014", "match": "matches nothing\\z\\z.", "at": "statement"}, "42P01", "40001", "57P01", "28P01"} {
			spec, problems := Parse("postgres_error", value)
			require.Empty(t, problems)
			c := spec.Behaviour().Converse(seeded(), whole).(*pgConversation)
			passed, sent := fuzzed(c, [2][]byte{Downstream: downstream, Upstream: upstream}, pieces)
			for _, side := range []*pgFrames{&c.up, &c.down} {
				assert.LessOrEqual(t, len(side.held), pgStatementHead)
			}
			if c.match != nil {
				for d := range sent {
					assert.True(t, bytes.Equal(sent[d], passed[d]), "%q became %q", sent[d], passed[d])
				}
			}
		}
	})
}

// fuzzed lets both streams come in pieces: each number is the size of the next piece, its low bit the direction, its next one whether the fault is on.
func fuzzed(c Witness, streams [2][]byte, pieces []byte) (passed, sent [2][]byte) {
	for i := 0; len(streams[0])+len(streams[1]) > 0 && i < 1000; i++ {
		p := byte(255)
		if i < len(pieces) {
			p = pieces[i]
		}
		d := Direction(p & 1)
		if len(streams[d]) == 0 {
			d = 1 - d
		}
		n := min(len(streams[d]), int(p>>2)+1)
		piece := streams[d][:n:n]
		streams[d] = streams[d][n:]
		sent[d] = append(sent[d], piece...)
		if p&2 == 0 {
			c.Sees(d, piece)
			passed[d] = append(passed[d], piece...)
			continue
		}
		talk := &settlingTalk{fakeTalk: fakeTalk{script: []heardLine{{d, piece}}}}
		c.Run(talk)
		for side := range passed {
			passed[side] = append(passed[side], talk.passed[side]...)
		}
		if talk.closed != "" {
			break
		}
	}
	return passed, sent
}
