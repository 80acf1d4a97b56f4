package servers

import (
	"context"
	"errors"

	"github.com/chaos-startup/chaos/internal/servers/litepg"
	"github.com/jackc/pgx/v5"
)

type litePG struct{ server *litepg.Server }

func startLitePG(ctx context.Context, o Options) (*Server, error) {
	l, err := listen(o.Listen)
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	server, err := litepg.Start(l, o.Dir)
	if err != nil {
		return nil, err
	}
	b := &litePG{server}
	if err := answersSQL(ctx, addr); err != nil {
		return nil, errors.Join(err, b.stop(context.WithoutCancel(ctx)))
	}
	return &Server{Addr: addr, Version: litepg.Name, Standin: true, Vars: postgresVars(databaseUser), Dir: o.Dir, backend: b}, nil
}

// answersSQL asks the question that a client would ask first.
func answersSQL(ctx context.Context, addr string) error {
	conn, err := pgx.Connect(ctx, "postgres://"+databaseUser+"@"+addr+"/"+databaseUser+"?sslmode=disable")
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "SELECT 1")
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

func (b *litePG) namespace(_ context.Context, name string) (*Namespace, error) {
	if err := b.server.CreateDatabase(name); err != nil {
		return nil, err
	}
	return &Namespace{
		Vars: postgresVars(name),
		Drop: func(context.Context) error { return b.server.DropDatabase(name, true, true) },
	}, nil
}

func (b *litePG) stop(ctx context.Context) error { return b.server.Close(ctx) }
