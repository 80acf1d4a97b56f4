package loadgen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/traffic"
)

// ours are the errors of a machine that has no room for another connection: the service never saw the request.
var ours = []error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM}

// classify says what became of a request, and its HTTP status.
func classify(ctx context.Context, s Step, a probes.Answer, err error, took time.Duration) (traffic.Kind, int) {
	code := 0
	if s.Kind == "http" || s.Kind == "websocket" {
		code = a.Status
	}
	if err == nil {
		return traffic.OK, code
	}
	for _, own := range ours {
		if errors.Is(err, own) {
			return traffic.Unsent, 0
		}
	}
	accepted := s.Kind == "websocket" && a.Status == http.StatusSwitchingProtocols
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return traffic.Refused, code
	case ctx.Err() != nil:
		return traffic.Cut, code
	case errors.Is(err, context.DeadlineExceeded) || took >= s.Timeout:
		return traffic.Hang, code
	case accepted:
		return traffic.Dropped, code
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return traffic.Reset, code
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return traffic.Closed, code
	}
	return answered(s.Kind, a.Status), code
}

// answered says what an answer is that came whole and is not what the step says.
func answered(kind string, status int) traffic.Kind {
	switch {
	case kind == "grpc" && codes.Code(status) == codes.Unavailable: // #nosec G115 -- it was made of one
		return traffic.Unavailable
	case kind == "grpc" && status != 0:
		return traffic.Status
	case kind == "grpc":
		return traffic.Wrong
	case status == http.StatusServiceUnavailable:
		return traffic.Unavailable
	case status >= http.StatusBadRequest:
		return traffic.Status
	case status > 0:
		return traffic.Wrong
	}
	return traffic.Failed
}
