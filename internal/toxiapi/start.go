package toxiapi

import (
	"context"

	"github.com/chaos-startup/chaos/internal/proxy"
)

// startProxy starts a real proxy.
func startProxy(ctx context.Context, c proxy.Config) (front, error) {
	p, err := proxy.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	return p, nil
}
