package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// maxRequests bounds a rate_limit, and how often anything is asked at once.
const maxRequests = 10_000

func (r RateLimit) check(h HTTP) error {
	var errs []error
	if r.Allowed < 1 || r.Allowed > maxRequests {
		errs = append(errs, fmt.Errorf("rate_limit: allowed %d: expected 1 to %d requests", r.Allowed, maxRequests))
	}
	if r.Extra < 0 || r.Extra > maxRequests {
		errs = append(errs, fmt.Errorf("rate_limit: extra %d: expected 0 to %d requests", r.Extra, maxRequests))
	}
	if r.Status != 0 && (r.Status < 400 || r.Status > 599) {
		errs = append(errs, fmt.Errorf("rate_limit: status %d: expected 400 to 599", r.Status))
	}
	if refusal := cmp.Or(r.Status, http.StatusTooManyRequests); h.Status == refusal {
		errs = append(errs, errors.New("rate_limit: what is allowed has the same status as what is refused"))
	}
	return errors.Join(errs...)
}

// exhaust sends the request as often as it is allowed, and goes on until it is refused. The answer is the refusal.
func (p httpProbe) exhaust(ctx context.Context) (Answer, error) {
	limit := *p.spec.RateLimit
	refusal := cmp.Or(limit.Status, http.StatusTooManyRequests)
	for n := 1; ; n++ {
		answer, got, err := p.request(ctx)
		if err != nil {
			return answer, fmt.Errorf("request %d: %w", n, err)
		}
		if n > limit.Allowed && got.status == refusal {
			if after := got.header.Get("Retry-After"); limit.RetryAfter && !isRetryAfter(after) {
				return answer, expected(p.what, "Retry-After beside status "+strconv.Itoa(refusal), shortOr(after, "none"))
			}
			return answer, nil
		}
		if err := p.check(got); err != nil {
			return answer, fmt.Errorf("request %d of %d that are allowed: %w", n, limit.Allowed, err)
		}
		if n > limit.Allowed+limit.Extra {
			return answer, expected(p.what, fmt.Sprintf("status %d to request %d", refusal, n), statusText(got.status, got.body))
		}
	}
}

// isRetryAfter accepts seconds and an HTTP date.
func isRetryAfter(value string) bool {
	seconds, err := strconv.Atoi(value)
	if err == nil {
		return seconds >= 0
	}
	_, err = http.ParseTime(value)
	return err == nil
}
