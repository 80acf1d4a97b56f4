package faults

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// grpcCodes are the names of gRPC's codes; the place is the number. 0 is no error.
var grpcCodes = []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

// grpcError answers calls with a status.
func grpcError() Kind {
	return Kind{
		Name: "grpc_error",
		Doc: "A gRPC server that is up and says no: not ready (UNAVAILABLE), a missing or wrong token (UNAUTHENTICATED, PERMISSION_DENIED), over its quota " +
			"(RESOURCE_EXHAUSTED), an older version (UNIMPLEMENTED). New calls whose `method` matches are answered by the fault with trailers alone, on new and on open " +
			"connections, and never reach the dependency; other calls, and those that began before, go on, and after the lift the same connections work again. HTTP/2 itself " +
			"(settings, pings, windows) is the real server's; with the first withheld call the client is asked to compress headers without a memory, because the server's " +
			"would miss something. If the lift comes before the client has agreed, or while a withheld call is still sending, the connection gets a GOAWAY: the next " +
			"calls go over a new one. A connection whose beginning was not seen is closed, so that the client comes back. TLS without `tls`, gRPC-Web and HTTP/1 pass untouched.",
		Client:    "The status code with its message, in grpc-go `rpc error: code = Unavailable desc = MESSAGE`. No error of the transport.",
		Example:   "{on: auth, during: services, fault: {grpc_error: UNAUTHENTICATED}}",
		Protocols: []string{"grpc"},
		Params: []Param{
			{Name: "code", Type: TypeEnum, Default: "UNAVAILABLE", Enum: grpcCodes[1:], Doc: "The status code, by its name."},
			{Name: "message", Type: TypeString, Default: "", Doc: "The status message, 1024 bytes at most; it is percent-encoded on the wire."},
			{Name: "method", Type: TypeString, Default: "", Doc: "A regular expression: only calls whose path (/package.Service/Method) matches; empty: all."},
			tlsParam(),
		},
		Behave: func(s Spec) Behaviour {
			return Behaviour{Converse: func(_ *rand.Rand, whole bool) Conversation {
				return orUnderTLS(s, whole, "h2", func(whole bool) Conversation { return newGRPCTalk(s, whole) })
			}}
		},
		check: func(s Spec) []Problem {
			problems := badExpression(s, "method")
			if n := len(s.Text("message")); n > 1024 {
				problems = append(problems, Problem{Param: "message", Text: fmt.Sprintf("grpc_error.message must be of 1024 bytes at most, got %d", n)})
			}
			return problems
		},
	}
}

// grpcStatus is an answer of trailers alone.
func grpcStatus(code, message string) []hpack.HeaderField {
	number := 0
	for i, name := range grpcCodes {
		if name == code {
			number = i
		}
	}
	fields := []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"},
		{Name: "grpc-status", Value: strconv.Itoa(number)}}
	if message != "" {
		fields = append(fields, hpack.HeaderField{Name: "grpc-message", Value: percent(message)})
	}
	return fields
}

// percent encodes a message as gRPC over HTTP/2 has it: printable ASCII without % stays.
func percent(message string) string {
	var b strings.Builder
	for _, c := range []byte(message) {
		if c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
