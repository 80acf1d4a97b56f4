package faults

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func amqpShort(s string) string { return string(rune(len(s))) + s }
func amqpLong(s string) string  { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

func amqpMethod(method byte, arguments string) string {
	return string(amqpFrame(method, []byte(arguments)))
}

// amqpLogin is a start-ok, of a client that knows authentication_failure_close or not.
func amqpLogin(knows bool) string {
	capabilities := amqpShort("publisher_confirms") + "t\x01" + amqpShort("authentication_failure_close") + "t" + map[bool]string{true: "\x01", false: "\x00"}[knows]
	properties := amqpShort("product") + "S" + amqpLong("x") + amqpShort("n") + "I\x00\x00\x00\x01" + amqpShort("capabilities") + "F" + amqpLong(capabilities)
	return amqpMethod(amqpStartOK, amqpLong(properties)+amqpShort("PLAIN")+amqpLong("\x00guest\x00secret")+amqpShort("en_US"))
}

var (
	amqpBegin   = amqpMethod(amqpStart, "\x00\x09"+amqpLong("")+amqpLong("PLAIN")+amqpLong("en_US"))
	amqpTune    = amqpMethod(30, "\x07\xff\x00\x02\x00\x00\x00\x3c")
	amqpTuneOK  = amqpMethod(31, "\x07\xff\x00\x02\x00\x00\x00\x3c")
	amqpOpens   = amqpMethod(amqpOpen, amqpShort("/x")+"\x00\x00")
	amqpIsOpen  = amqpMethod(amqpOpenOK, "\x00")
	amqpBye     = amqpMethod(amqpCloseOK, "")
	amqpContent = "\x03\x00\x01\x00\x00\x00\x05a\xceb\xcec\xce"
	amqpBeat    = "\x08\x00\x00\x00\x00\x00\x00\xce"
)

func amqpGoodbye(text string, code int, method byte) string {
	return string(amqpCloseFrame(code, text, method))
}

const amqpRefused = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."

func TestAMQPLogin(t *testing.T) {
	splits(t, "amqp_error", 403, []heardLine{asks(string(amqpHeader)), tells(amqpBegin), asks(amqpLogin(true)), asks(amqpBye)},
		outcome{string(amqpHeader), amqpBegin + amqpGoodbye(amqpRefused, 403, 0), "reset", []string{"answers 403 ACCESS_REFUSED"}})
	splits(t, "amqp_error", 403, []heardLine{asks(string(amqpHeader)), tells(amqpBegin), asks(amqpLogin(false))},
		outcome{string(amqpHeader), amqpBegin, "reset", []string{"does not answer a login"}})
}

func TestAMQPOpen(t *testing.T) {
	for code, text := range map[int]string{530: "NOT_ALLOWED - vhost /x not found", 541: "INTERNAL_ERROR - access to vhost '/x' refused for user 'guest': vhost '/x' is down"} {
		splits(t, "amqp_error", code, []heardLine{asks(string(amqpHeader)), tells(amqpBegin), asks(amqpLogin(true)), tells(amqpTune), asks(amqpTuneOK + amqpOpens), asks(amqpBye)},
			outcome{string(amqpHeader) + amqpLogin(true) + amqpTuneOK, amqpBegin + amqpTune + amqpGoodbye(text, code, amqpOpen), "reset", []string{"answers " + amqpCodeName(code)}})
	}
	splits(t, "amqp_error", map[string]any{"code": 530, "message": "no"}, []heardLine{asks(string(amqpHeader) + amqpOpens), asks(amqpBye)},
		outcome{string(amqpHeader), amqpGoodbye("NOT_ALLOWED - no", 530, amqpOpen), "reset", []string{"answers 530 NOT_ALLOWED"}})
}

func TestAMQPForced(t *testing.T) {
	forced := amqpGoodbye("CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", 320, 0)
	up := string(amqpHeader) + amqpLogin(true) + amqpTuneOK + amqpOpens
	seen := []heardLine{asks(up), tells(amqpBegin + amqpTune + amqpIsOpen)}
	bite := []string{"answers 320 CONNECTION_FORCED"}
	got := plays(conversation(t, "amqp_error", 320, true), seen, []heardLine{asks(amqpBeat + amqpBye)})
	assert.Equal(t, outcome{up, amqpBegin + amqpTune + amqpIsOpen + forced, "reset", bite}, got, "idle")
	for at := 1; at < len(amqpContent); at++ {
		got := plays(conversation(t, "amqp_error", 320, true), append(seen[:2:2], tells(amqpContent[:at])), []heardLine{tells(amqpContent[at:] + amqpBeat), asks(amqpBye)})
		assert.Equal(t, outcome{up, amqpBegin + amqpTune + amqpIsOpen + amqpContent + forced, "reset", bite}, got, "inside of a frame, at %d", at)
	}
	splits(t, "amqp_error", 320, []heardLine{asks(up), tells(amqpBegin + amqpTune + amqpIsOpen), asks(amqpContent + amqpBye)},
		outcome{up, amqpBegin + amqpTune + amqpIsOpen + forced, "reset", bite})
	got = plays(conversation(t, "amqp_error", 320, false), nil, []heardLine{tells(amqpContent[3:]), tells(amqpBeat + amqpContent), asks("rest" + amqpBye)})
	assert.Equal(t, outcome{"", amqpContent[3:] + amqpBeat + amqpContent + forced, "reset", bite}, got, "one whose beginning was not seen")
}

func TestAMQPPasses(t *testing.T) {
	up := string(amqpHeader) + amqpLogin(true) + amqpTuneOK + amqpOpens
	for _, code := range []int{403, 530, 541} {
		got := plays(conversation(t, "amqp_error", code, true), []heardLine{asks(up), tells(amqpBegin + amqpIsOpen)}, []heardLine{asks(amqpContent), tells(amqpContent)})
		assert.Equal(t, outcome{up + amqpContent, amqpBegin + amqpIsOpen + amqpContent, "", nil}, got, "open connections go on")
	}
	for _, other := range []string{"\x16\x03\x01\x00\x05hello", "AMQP\x03\x01\x00\x00", "GET / HTTP/1.1\r\n\r\n"} {
		splits(t, "amqp_error", nil, []heardLine{asks(other), tells(other)}, outcome{other, other, "", nil})
	}
	login := amqpLogin(true)
	for at := 1; at < len(login); at++ {
		got := plays(conversation(t, "amqp_error", 403, true), []heardLine{asks(string(amqpHeader) + login[:at])}, []heardLine{asks(login[at:])})
		assert.Equal(t, outcome{string(amqpHeader) + login, "", "", nil}, got, "one that had begun before, at %d", at)
		got = plays(conversation(t, "amqp_error", 403, true), nil, []heardLine{asks(string(amqpHeader) + login[:at])})
		assert.Equal(t, outcome{string(amqpHeader) + login[:at], "", "", nil}, got, "lifted in the middle, at %d", at)
	}
}

func TestAMQPParameters(t *testing.T) {
	for value, want := range map[any]string{
		404: "amqp_error.code must be 320, 403, 530 or 541, got 404", 42: "amqp_error.code must be from 320 to 541, got 42",
	} {
		_, problems := Parse("amqp_error", value)
		require.Len(t, problems, 1)
		assert.Equal(t, want, problems[0].Text)
	}
	_, problems := Parse("amqp_error", map[string]any{"message": strings.Repeat("x", 201)})
	assert.Equal(t, "amqp_error.message must have at most 200 bytes, got 201", problems[0].Text)
	long := amqpText(541, "", amqpHello{vhost: strings.Repeat("v", 255)})
	assert.Len(t, long, 255)
}
