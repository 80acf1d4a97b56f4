package resolver

import (
	"context"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// FuzzQuery: whatever is sent, the resolver answers or is silent, and what it answers is DNS.
func FuzzQuery(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02db\x00\x00\x01\x00\x01"))
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x02db\x00\x00\x1c\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"))
	r, err := Start(context.Background(), Config{Hosts: []Host{{Dependency: "db", Names: []string{"db"}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = r.Close(context.Background()) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		q, ok := parse(raw)
		if !ok {
			return
		}
		reply := r.handle(t.Context(), q, "udp")
		if reply == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil || !m.Response || m.ID != q.header.ID {
			t.Errorf("answered %x with %x: %v", raw, reply, err)
		}
	})
}
