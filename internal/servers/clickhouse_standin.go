package servers

import (
	"context"
	"errors"

	"github.com/chaos-startup/chaos/internal/servers/litech"
)

type liteCH struct {
	server *litech.Server
	addr   string
}

func startLiteCH(ctx context.Context, o Options) (*Server, error) {
	l, err := listen(o.Listen)
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	server, err := litech.Start(l)
	if err != nil {
		return nil, err
	}
	if _, err := askClickHouse(ctx, addr, "SELECT 1"); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &Server{Addr: addr, Version: litech.Name, Standin: true, Vars: clickhouseVars("default"), Dir: o.Dir, backend: &liteCH{server, addr}}, nil
}

func (b *liteCH) namespace(ctx context.Context, name string) (*Namespace, error) {
	return clickhouseNamespace(ctx, b.addr, name)
}

func (b *liteCH) stop(context.Context) error { return b.server.Close() }
