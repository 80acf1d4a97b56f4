package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// amqpError is an AMQP broker that is up and says no.
func amqpError() Kind {
	return Kind{
		Name: "amqp_error",
		Doc: "A RabbitMQ that is up and says no (AMQP 0-9-1). 403 ACCESS_REFUSED, the user or the password is wrong: to clients that know " +
			"authentication_failure_close the broker says so, others are left without an answer for three seconds and then reset. 530 NOT_ALLOWED, there is no " +
			"such virtual host (set `message` for a connection limit or missing permission). 541 INTERNAL_ERROR, the virtual host is down. Open connections go on in " +
			"these three. 320 CONNECTION_FORCED, the broker is shut down: open connections are closed between two frames, and new ones as soon as they are open. " +
			"A connection under TLS and one of AMQP 1.0 pass untouched.",
		Client: "connection.close with the code, and the end of the connection. amqp091-go: `Exception (403) Reason: \"username or password not allowed\"` (after the three seconds), " +
			"`Exception (530) Reason: \"NOT_ALLOWED - vhost / not found\"`; NotifyClose gets the 320 of an open connection.",
		Example:   "{on: rabbitmq, during: services, fault: {amqp_error: 530}}",
		Protocols: []string{"amqp"},
		Params: []Param{
			{Name: "code", Type: TypeInt, Default: int64(403), Min: int64(320), Max: int64(541), Unit: "reply code", Doc: "What the broker says: 320, 403, 530 or 541."},
			{Name: "message", Type: TypeString, Default: "", Doc: "What follows the name of the code; empty: the broker's own words."},
		},
		check: amqpCheck,
		Behave: func(s Spec) Behaviour {
			code, message := int(s.Int("code")), s.Text("message")
			return Behaviour{Converse: func(_ *rand.Rand, whole bool) Conversation { return newAMQPTalk(code, message, whole) }}
		},
	}
}

// amqpCodes are the reply codes that a broker gives by itself; the others are for mistakes of the client.
var amqpCodes = map[int]string{320: "CONNECTION_FORCED", 403: "ACCESS_REFUSED", 530: "NOT_ALLOWED", 541: "INTERNAL_ERROR"}

func amqpCheck(s Spec) []Problem {
	problems := oneLine(s, "message")
	if code := int(s.Int("code")); amqpCodes[code] == "" {
		problems = append(problems, Problem{Param: "code", Text: fmt.Sprintf("amqp_error.code must be 320, 403, 530 or 541, got %d", code)})
	}
	if n := len(s.Text("message")); n > amqpLongest {
		problems = append(problems, Problem{Param: "message", Text: fmt.Sprintf("amqp_error.message must have at most %d bytes, got %d", amqpLongest, n)})
	}
	return problems
}

// amqpLongest leaves room for the name of the code in a short string.
const amqpLongest = 200

// amqpHello is what is known of a client when it must be refused.
type amqpHello struct {
	mechanism, user, vhost string
	told                   bool // it understands a close before it is logged in
}

// amqpText is the broker's text, in the words of RabbitMQ 3.10. A short string has 255 bytes at most.
func amqpText(code int, message string, h amqpHello) string {
	if message == "" {
		switch code {
		case 320:
			message = "broker forced connection closure with reason 'shutdown'"
		case 403:
			message = "Login was refused using authentication mechanism " + h.mechanism + ". For details see the broker logfile."
		case 530:
			message = "vhost " + h.vhost + " not found"
		case 541:
			message = "access to vhost '" + h.vhost + "' refused for user '" + h.user + "': vhost '" + h.vhost + "' is down"
		}
	}
	text := amqpCodes[code] + " - " + message
	return text[:min(len(text), 255)]
}

// Methods of the class connection, which is 10.
const (
	amqpStart   = 10
	amqpStartOK = 11
	amqpOpen    = 40
	amqpOpenOK  = 41
	amqpClose   = 50
	amqpCloseOK = 51
)

// amqpFrame writes a method of the class connection on channel 0.
func amqpFrame(method byte, arguments []byte) []byte {
	n := len(arguments) + 4
	frame := []byte{1, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 0, 10, 0, method} // #nosec G115 -- the low bytes are meant
	return append(append(frame, arguments...), 0xce)
}

// amqpCloseFrame writes connection.close. The class and method are those of what is refused; 0: nothing that the client sent.
func amqpCloseFrame(code int, text string, method byte) []byte {
	class := byte(10)
	if method == 0 {
		class = 0
	}
	arguments := append([]byte{byte(code >> 8), byte(code), byte(len(text))}, text...) // #nosec G115 -- the low bytes are meant
	return amqpFrame(amqpClose, append(arguments, 0, class, 0, method))
}

// amqpReader reads the arguments of a method. After the first that is not there all are empty.
type amqpReader struct {
	data []byte
	bad  bool
}

func (r *amqpReader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.data) {
		r.bad, r.data = true, nil
		return nil
	}
	out := r.data[:n]
	r.data = r.data[n:]
	return out
}

func (r *amqpReader) number(size int) int {
	v := 0
	for _, b := range r.take(size) {
		v = v<<8 | int(b)
	}
	return v
}

func (r *amqpReader) short() string { return string(r.take(r.number(1))) }
func (r *amqpReader) long() []byte  { return r.take(r.number(4)) }

// amqpCapable looks for a switch in the table of capabilities of a client's properties.
func amqpCapable(properties []byte, name string) bool {
	kind, capabilities := amqpLookup(properties, "capabilities")
	if kind != 'F' {
		return false
	}
	kind, on := amqpLookup(capabilities, name)
	return kind == 't' && len(on) == 1 && on[0] != 0
}

// amqpLookup finds an entry of a table; 0: there is none.
func amqpLookup(table []byte, name string) (kind byte, value []byte) {
	for r := (amqpReader{data: table}); len(r.data) > 0; {
		found, kind := r.short(), r.number(1)
		value := r.value(byte(kind)) // #nosec G115 -- one byte was read
		if !r.bad && found == name {
			return byte(kind), value // #nosec G115 -- one byte was read
		}
	}
	return 0, nil
}

// value takes a value of a table.
func (r *amqpReader) value(kind byte) []byte {
	switch kind {
	case 't', 'b', 'B':
		return r.take(1)
	case 's', 'u', 'U':
		return r.take(2)
	case 'i', 'I', 'f':
		return r.take(4)
	case 'D':
		return r.take(5)
	case 'l', 'L', 'd', 'T':
		return r.take(8)
	case 'S', 'x', 'A', 'F':
		return r.long()
	case 'V':
		return nil
	}
	r.bad, r.data = true, nil
	return nil
}

// startOK reads how the client logs in.
func (h *amqpHello) startOK(arguments []byte) {
	r := amqpReader{data: arguments}
	h.told = amqpCapable(r.long(), "authentication_failure_close")
	h.mechanism = r.short()
	if parts := strings.Split(string(r.long()), "\x00"); h.mechanism == "PLAIN" && len(parts) == 3 {
		h.user = parts[1]
	}
}

// open reads the virtual host.
func (h *amqpHello) open(arguments []byte) {
	r := amqpReader{data: arguments}
	h.vhost = r.short()
}

// amqpCodeName writes a code with its name.
func amqpCodeName(code int) string { return strconv.Itoa(code) + " " + amqpCodes[code] }

// amqpHeader is what both sides begin with in 0-9-1.
var amqpHeader = []byte("AMQP\x00\x00\x09\x01")

// amqpStream finds where frames end, in any portions.
type amqpStream struct {
	header int    // bytes of the protocol header that are still to come
	head   []byte // of the frame: type, channel, size
	body   []byte // the payload, if it is a method of channel 0 and not too long
	left   int    // bytes that are still to come, the end mark included
	inside bool
}

const amqpKept = 128 << 10

// feed takes bytes up to the end of a frame, or of the header. ok is false when this is no AMQP 0-9-1.
func (a *amqpStream) feed(data []byte) (n int, end, ok bool) {
	for n < len(data) {
		b := data[n]
		switch {
		case a.header > 0:
			if b != amqpHeader[len(amqpHeader)-a.header] {
				return n, false, false
			}
			n++
			if a.header--; a.header == 0 {
				return n, true, true
			}
		case a.left == 0:
			if !a.inside {
				a.inside, a.head, a.body = true, a.head[:0], nil
			}
			n++
			if a.head = append(a.head, b); len(a.head) < 7 {
				continue
			}
			r := amqpReader{data: a.head[3:]}
			if a.left = r.number(4) + 1; a.head[0] == 0 || a.head[0] > 8 || a.left > respBulk {
				return n, false, false
			}
		default:
			took := min(a.left, len(data)-n)
			if a.head[0] == 1 && a.head[1]|a.head[2] == 0 && len(a.body)+took <= amqpKept {
				a.body = append(a.body, data[n:n+took]...)
			}
			n += took
			if a.left -= took; a.left == 0 {
				a.inside = false
				return n, true, data[n-1] == 0xce
			}
		}
	}
	return n, false, true
}

// method returns which method of the class connection a complete frame is, and its arguments; 0: another.
func (a *amqpStream) method() (byte, []byte) {
	if len(a.body) < 5 || a.head[0] != 1 || !slices.Equal(a.body[:3], []byte{0, 10, 0}) {
		return 0, nil
	}
	return a.body[3], a.body[4 : len(a.body)-1]
}
