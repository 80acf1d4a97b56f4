package servers

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

type natsHere struct {
	server *server.Server
	addr   string
}

func startNATSHere(_ context.Context, o Options) (*Server, error) {
	// The server keeps the reason to itself when it can't listen, so look first.
	host, port, err := freePort(o.Listen)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		Host: host, Port: number, NoLog: true, NoSigs: true, JetStream: true, StoreDir: filepath.Join(o.Dir, "jetstream"),
	})
	if err != nil {
		return nil, err
	}
	n := &natsHere{server: s, addr: net.JoinHostPort(host, port)}
	s.Start()
	if !s.ReadyForConnections(startLimit / 6) {
		_ = n.stop(context.Background())
		return nil, fmt.Errorf("nats-server in this process does not listen on %s", n.addr)
	}
	if _, err := natsVersion(n.addr); err != nil {
		_ = n.stop(context.Background())
		return nil, err
	}
	version := fmt.Sprintf("nats-server %s, in this process", server.VERSION)
	return &Server{Addr: n.addr, Version: version, Standin: true, Vars: natsVars(""), Dir: o.Dir, backend: n}, nil
}

func (n *natsHere) namespace(_ context.Context, name string) (*Namespace, error) {
	return natsNamespace(n.addr, name), nil
}

func (n *natsHere) stop(ctx context.Context) error {
	n.server.Shutdown()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.server.WaitForShutdown()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(stopGrace):
		return fmt.Errorf("nats-server in this process does not shut down")
	}
}
