package faults

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	natsInfo    = "INFO {\"server_id\":\"x\",\"max_payload\":1048576} \r\n"
	natsConnect = "CONNECT {\"verbose\":false}\r\n"
	natsPing    = "PING\r\n"
	natsMessage = "MSG a.b 1 11\r\nhello\r\nMSG \r\nHMSG a 1 12 13\r\nNATS/1.0\r\n\r\nx\r\n"
)

func TestNATSRefusesConnect(t *testing.T) {
	for name, text := range map[string]string{
		"Authorization Violation": "Authorization Violation", "Authentication Timeout": "Authentication Timeout",
		"Maximum Account Active Connections Exceeded": "maximum account active connections exceeded",
		"Secure Connection - TLS Required":            "Secure Connection - TLS Required",
		"User Authentication Expired":                 "Authorization Violation",
	} {
		splits(t, "nats_error", name, []heardLine{tells(natsInfo), asks("ping\r\n" + natsConnect + natsPing)},
			outcome{"ping\r\n", natsInfo + "-ERR '" + text + "'\r\n", "close", []string{"answers " + or(name, text)}})
	}
}

// or is what a bite names: the error that was told.
func or(name, text string) string {
	if text == "Authorization Violation" {
		return text
	}
	return name
}

func TestNATSAtOnce(t *testing.T) {
	splits(t, "nats_error", "Maximum Connections Exceeded", []heardLine{tells(natsInfo)},
		outcome{"", natsInfo + "-ERR 'maximum connections exceeded'\r\n", "close", []string{"answers Maximum Connections Exceeded"}})
	got := plays(conversation(t, "nats_error", "Maximum Connections Exceeded", true), []heardLine{tells(natsInfo), asks(natsConnect)}, []heardLine{tells(natsPing), asks("PONG\r\n")})
	assert.Equal(t, outcome{natsConnect + "PONG\r\n", natsInfo + natsPing, "", nil}, got, "open connections go on")
}

func TestNATSOpenConnections(t *testing.T) {
	told := "-ERR 'Stale Connection'\r\n"
	seen := []heardLine{tells(natsInfo), asks(natsConnect + natsPing), tells("PONG\r\n")}
	got := plays(conversation(t, "nats_error", "Stale Connection", true), seen, nil)
	assert.Equal(t, outcome{natsConnect + natsPing, natsInfo + "PONG\r\n" + told, "close", []string{"answers Stale Connection"}}, got, "idle")
	for at := 1; at <= len(natsMessage); at++ { // in the middle of messages: the one that has begun is passed
		got := plays(conversation(t, "nats_error", "Stale Connection", true), append(seen[:3:3], tells(natsMessage[:at])), []heardLine{tells(natsMessage[at:] + "PONG\r\n")})
		first := len("MSG a.b 1 11\r\nhello\r\nMSG \r\n")
		want := natsMessage
		if at <= first {
			want = natsMessage[:first]
		}
		assert.Equal(t, natsInfo+"PONG\r\n"+want+told, got.down, "cut at %d", at)
		assert.Equal(t, "close", got.closed)
	}
	splits(t, "nats_error", "Stale Connection", []heardLine{tells(natsInfo), asks(natsConnect + natsPing), tells("PONG\r\nPING\r\n")},
		outcome{natsConnect + natsPing, natsInfo + "PONG\r\n" + told, "close", []string{"answers Stale Connection"}})
	got = plays(conversation(t, "nats_error", "Slow Consumer", false), nil, []heardLine{tells("lo\r\n"), tells(natsMessage)})
	assert.Equal(t, outcome{"", "lo\r\n-ERR 'Slow Consumer'\r\n", "close", []string{"answers Slow Consumer"}}, got, "one whose beginning was not seen")
}

func TestNATSPasses(t *testing.T) {
	hello := "\x16\x03\x01\x00\x05hello"
	splits(t, "nats_error", nil, []heardLine{tells(natsInfo), asks(hello), tells(hello)}, outcome{hello, natsInfo + hello, "", nil})
	for at := 1; at < len(natsConnect); at++ {
		got := plays(conversation(t, "nats_error", nil, true), []heardLine{tells(natsInfo), asks(natsConnect[:at])}, []heardLine{asks(natsConnect[at:]), tells("PONG\r\n")})
		assert.Equal(t, outcome{natsConnect, natsInfo + "PONG\r\n", "", nil}, got, "one that had begun before, at %d", at)
		got = plays(conversation(t, "nats_error", nil, true), []heardLine{tells(natsInfo)}, []heardLine{asks(natsConnect[:at])})
		assert.Equal(t, outcome{natsConnect[:at], natsInfo, "", nil}, got, "lifted in the middle, at %d", at)
	}
}
