package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
)

func natsKind() Kind {
	return Kind{
		Name:    "nats",
		Doc:     "NATS with JetStream. A namespace is a prefix for subjects; dropping it deletes the streams whose name or subjects begin with it.",
		Standin: "nats-server's own code, in this process: all of it is true, but it shares the runner's process and goes down with it",
		binary:  "nats-server", folders: []string{"/usr/bin", "/usr/sbin", "/usr/local/bin"}, Install: "apt-get install nats-server",
		startReal: startNATS, startStandin: startNATSHere,
	}
}

type natsServer struct {
	*daemon
	home *home
	addr string
}

func startNATS(ctx context.Context, path string, o Options) (*Server, error) {
	h, err := newHome(o, "nats", "nats")
	if err != nil {
		return nil, err
	}
	var s *Server
	for range attempts {
		if s, err = runNATS(ctx, path, h, o); err == nil || !retryable(err, o) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, h.remove())
	}
	return s, nil
}

func runNATS(ctx context.Context, path string, h *home, o Options) (*Server, error) {
	host, port, err := freePort(o.Listen)
	if err != nil {
		return nil, err
	}
	d, err := launch(command{home: h, signal: syscall.SIGTERM, argv: []string{
		path, "--addr", host, "--port", port, "--jetstream", "--store_dir", filepath.Join(h.dir, "jetstream"),
	}}, o)
	if err != nil {
		return nil, err
	}
	n := &natsServer{daemon: d, home: h, addr: net.JoinHostPort(host, port)}
	var version string
	err = d.await(ctx, func(context.Context) error {
		version, err = natsVersion(n.addr)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, d.stop(context.WithoutCancel(ctx)))
	}
	return &Server{Addr: n.addr, Version: "nats-server " + version, Vars: natsVars(""), Dir: h.dir, backend: n}, nil
}

func natsVars(prefix string) map[string]string {
	return map[string]string{"database": prefix, "prefix": prefix, "user": "", "password": ""}
}

// withNATS opens one connection.
func withNATS(addr string, f func(*nats.Conn) error) error {
	c, err := nats.Connect("nats://"+addr, nats.NoReconnect())
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// natsVersion asks for a PONG and the version.
func natsVersion(addr string) (version string, err error) {
	err = withNATS(addr, func(c *nats.Conn) error {
		version = c.ConnectedServerVersion()
		return c.Flush()
	})
	return version, err
}

func natsNamespace(addr, name string) *Namespace {
	return &Namespace{Vars: natsVars(name), Drop: func(ctx context.Context) error { return dropStreams(ctx, addr, name) }}
}

// dropStreams deletes the streams that belong to a prefix.
func dropStreams(ctx context.Context, addr, prefix string) error {
	return withNATS(addr, func(c *nats.Conn) error {
		js, err := c.JetStream(nats.Context(ctx))
		if err != nil {
			return err
		}
		var errs []error
		for info := range js.StreamsInfo(nats.Context(ctx)) {
			if !belongs(info.Config, prefix) {
				continue
			}
			if err := js.DeleteStream(info.Config.Name, nats.Context(ctx)); err != nil {
				errs = append(errs, fmt.Errorf("stream %s: %w", info.Config.Name, err))
			}
		}
		return errors.Join(errs...)
	})
}

func belongs(c nats.StreamConfig, prefix string) bool {
	if c.Name == prefix || strings.HasPrefix(c.Name, prefix+"_") || strings.HasPrefix(c.Name, prefix+"-") {
		return true
	}
	for _, subject := range c.Subjects {
		if subject == prefix || strings.HasPrefix(subject, prefix+".") {
			return true
		}
	}
	return false
}

func (n *natsServer) namespace(_ context.Context, name string) (*Namespace, error) {
	return natsNamespace(n.addr, name), nil
}

func (n *natsServer) stop(ctx context.Context) error {
	return errors.Join(n.daemon.stop(ctx), n.home.remove())
}
