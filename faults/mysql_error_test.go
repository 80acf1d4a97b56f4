package faults

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mysqlGreeting is what MariaDB 10.11 says, with the lower capabilities given.
func mysqlGreeting(low uint16) []byte {
	body := append([]byte("\x0a5.5.5-10.11.19-MariaDB-0+deb12u1\x00\x05\x00\x00\x00jHhTL`}v\x00"), byte(low), byte(low>>8))
	body = append(body, "\x08\x02\x00\xff\x81\x15\x00\x00\x00\x00\x00\x00\x1d\x00\x00\x00X4<p>'DbA[)W\x00mysql_native_password\x00"...)
	return append([]byte{byte(len(body)), 0, 0, 0}, body...)
}

// mysqlAnswer is a login.
func mysqlAnswer(password, database string) []byte {
	capabilities := uint32(mysqlProtocol41 | mysqlSecure | 1<<19)
	if database != "" {
		capabilities |= mysqlWithDB
		database += "\x00"
	}
	body := binary.LittleEndian.AppendUint32(nil, capabilities)
	body = append(body, make([]byte, 28)...)
	body = append(append(body, "app\x00"...), byte(len(password)))
	body = append(body, password+database+"mysql_native_password\x00"...)
	return append([]byte{byte(len(body)), 0, 0, 1}, body...)
}

func TestMySQLError(t *testing.T) {
	greeting, plain := mysqlGreeting(0xfffe), mysqlGreeting(0xfffe&^mysqlTLS)
	tls := append([]byte{32, 0, 0, 1}, binary.LittleEndian.AppendUint32(nil, mysqlProtocol41|mysqlTLS)...)
	tls = append(tls, make([]byte, 28)...)
	down := func(b []byte) heardLine { return heardLine{Downstream, b} }
	up := func(b []byte) heardLine { return heardLine{Upstream, b} }
	for _, c := range []struct {
		name, code     string
		before, script []heardLine
		up, down       string
		closed         string
		bites          int
	}{
		{"too many", "1040", nil, []heardLine{down(greeting)}, "", "\x17\x00\x00\x00\xff\x10\x04Too many connections", "close", 1},
		{"blocked", "1129", nil, nil, "", "j\x00\x00\x00\xffi\x04Host '127.0.0.1' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'",
			"close", 1},
		{"greeted before", "1040", []heardLine{down(greeting)}, []heardLine{up(mysqlAnswer("x", ""))}, string(mysqlAnswer("x", "")), "", "", 0},
		{"denied", "1045", nil, []heardLine{down(greeting), up(mysqlAnswer("12345678901234567890", ""))}, "",
			string(plain) + "G\x00\x00\x02\xff\x15\x04#28000Access denied for user 'app'@'localhost' (using password: YES)", "close", 1},
		{"denied without password", "1045", []heardLine{down(greeting)}, []heardLine{up(mysqlAnswer("", ""))}, "",
			"F\x00\x00\x02\xff\x15\x04#28000Access denied for user 'app'@'localhost' (using password: NO)", "close", 1},
		{"no database", "1049", nil, []heardLine{down(greeting), up(mysqlAnswer("12345678901234567890", "shop"))}, "",
			string(plain) + " \x00\x00\x02\xff\x19\x04#42000Unknown database 'shop'", "close", 1},
		{"shutdown", "1053", []heardLine{down(greeting), up(mysqlAnswer("x", "shop"))}, nil, "", "", "close", 1},
		{"shutdown of new ones", "1053", nil, []heardLine{down(greeting), up(mysqlAnswer("x", "shop"))}, "",
			string(plain) + "$\x00\x00\x02\xff\x1d\x04#08S01Server shutdown in progress", "close", 1},
		{"TLS was offered before", "1045", []heardLine{down(greeting)}, []heardLine{up(tls), up([]byte("\x16\x03\x01")), down([]byte("\x16"))},
			string(tls) + "\x16\x03\x01", "\x16", "", 0},
		{"another protocol", "1045", nil, []heardLine{down([]byte("SSH-2.0-OpenSSH\r\n")), up([]byte("SSH-2.0\r\n"))}, "SSH-2.0\r\n", "SSH-2.0-OpenSSH\r\n", "", 0},
		{"lifted within the greeting", "1045", nil, []heardLine{down(greeting[:30])}, "", string(greeting[:30]), "", 0},
		{"lifted within the login", "1045", nil, []heardLine{down(greeting), up(mysqlAnswer("x", "")[:20])}, string(mysqlAnswer("x", "")[:20]), string(plain), "", 0},
	} {
		plays := func(before, script []heardLine) {
			conversation := behaviour(t, "mysql_error", c.code).Converse(seeded(), true).(Witness)
			for _, l := range before {
				conversation.Sees(l.d, l.data)
			}
			talk := &fakeTalk{script: script}
			conversation.Run(talk)
			require.Equal(t, c.up, string(talk.passed[Upstream]), c.name)
			require.Equal(t, c.down, string(talk.passed[Downstream]), c.name)
			require.Equal(t, c.closed, talk.closed, c.name)
			require.Len(t, talk.bites, c.bites, c.name)
		}
		plays(c.before, c.script)
		plays(inBytes(c.before), inBytes(c.script))
		for i, l := range c.script {
			for at := 1; at < len(l.data); at++ {
				plays(c.before, append(append(append([]heardLine{}, c.script[:i]...), heardLine{l.d, l.data[:at]}, heardLine{l.d, l.data[at:]}), c.script[i+1:]...))
			}
		}
	}
}

// FuzzMySQLError: nothing panics and no more than a login is kept, whatever comes and whenever.
func FuzzMySQLError(f *testing.F) {
	f.Add(mysqlAnswer("x", "shop"), mysqlGreeting(0xffff), []byte{2, 255, 255, 3, 3})
	f.Add([]byte("\xff\xff\xff\x01"), []byte("\x00\x00\x00\x00"), []byte{})
	f.Fuzz(func(t *testing.T, upstream, downstream, pieces []byte) {
		for _, code := range []string{"1040", "1045", "1053"} {
			spec, problems := Parse("mysql_error", code)
			require.Empty(t, problems)
			c := spec.Behaviour().Converse(seeded(), true).(*mysqlConversation)
			fuzzed(c, [2][]byte{Downstream: downstream, Upstream: upstream}, pieces)
			assert.LessOrEqual(t, len(c.up)+len(c.down), 2*mysqlMost+512)
		}
	})
}
