package runner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/internal/servers"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

const (
	dependencyStart = 60 * time.Second // how long a dependency may take to come up
	dependencyGrace = 10 * time.Second // and to stop
	tailLines       = 20
)

// upstream is a real dependency, shared by all trials of a run.
type upstream struct {
	spec     experiments.Dependency
	address  string // host:port
	version  string
	standin  bool
	answered bool             // it took a connection when it came up
	server   *servers.Server  // server:
	process  *process.Process // command:
	tail     *tail
}

// startDependencies brings all up, side by side. On an error everything that came up is left for stopDependencies.
func (s *suite) startDependencies(ctx context.Context) error {
	list := s.plan.File.Dependencies
	s.upstreams = make([]*upstream, len(list))
	s.watch(s.marker, 0) // before they start: what they start in turn must not be missed
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, d := range list {
		u := &upstream{spec: d, tail: &tail{}}
		s.upstreams[i] = u
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, u.patience())
			defer cancel()
			if err := s.bringUp(ctx, u); err != nil {
				errs[i] = fmt.Errorf("dependency %s: %w", d.Name, err)
				return
			}
			u.answered = u.dial(ctx) == nil
			s.o.On(Progress{Kind: DependencyUp, Title: d.Name, Text: u.describe()})
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// patience is how long the dependency may take to come up, whatever it waits for.
func (u *upstream) patience() time.Duration {
	if u.spec.Ready == nil {
		return dependencyStart
	}
	return max(dependencyStart, u.spec.Ready.Within.D()+dependencyGrace)
}

// is says whether target is the dependency's real address. A host name means loopback or whatever it resolves to: then the port decides.
func (u *upstream) is(target netip.AddrPort) bool {
	if a, err := netip.ParseAddrPort(u.address); err == nil {
		return a == target || a.Port() == target.Port() && a.Addr().IsLoopback() && target.Addr().IsLoopback()
	}
	_, port, err := net.SplitHostPort(u.address)
	return err == nil && port == strconv.Itoa(int(target.Port()))
}

func (u *upstream) describe() string {
	switch {
	case u.standin:
		return "stand-in at " + u.address + ": " + u.version
	case u.version != "":
		return u.version + " at " + u.address
	default:
		return u.address
	}
}

func (s *suite) bringUp(ctx context.Context, u *upstream) error {
	switch {
	case u.spec.Server != "":
		return s.startServer(ctx, u)
	case len(u.spec.Command) > 0:
		return s.startCommand(ctx, u)
	default:
		u.address = u.spec.Upstream
		spec, err := experiments.Render(u.spec, probes.ByAttempt(s.dependencyLookup(u)))
		if err != nil {
			return err
		}
		u.spec.Ready = spec.Ready
		return awaitUpstream(ctx, u, 5*time.Second)
	}
}

func (s *suite) startServer(ctx context.Context, u *upstream) error {
	dir := filepath.Join(s.dir, "server-"+u.spec.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- the server runs as another user and must reach it
		return fmt.Errorf("make a folder for server %s: %w", u.spec.Server, err)
	}
	server, err := servers.Start(ctx, u.spec.Server, servers.Options{
		Dir: dir, Prefer: s.o.preference(), Logger: s.o.Logger, Marker: s.marker, Watch: s.watch,
	})
	if err != nil {
		return err
	}
	u.server, u.address, u.version, u.standin = server, server.Addr, server.Version, server.Standin
	return nil
}

func (s *suite) startCommand(ctx context.Context, u *upstream) error {
	port, err := s.ports.take(ctx)
	if err != nil {
		return err
	}
	u.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	spec, err := experiments.Render(u.spec, probes.ByAttempt(s.dependencyLookup(u)))
	if err != nil {
		return err
	}
	u.spec.Ready = spec.Ready
	if err := u.tail.want(spec.Ready); err != nil {
		return err
	}
	u.process, err = process.Start(process.Spec{
		Argv: spec.Command, Dir: s.plan.File.Dir, Env: s.environment(s.plan.File.Service.Inherit, spec.Env), Marker: s.marker,
		Line: func(_ process.Stream, line string) { u.tail.add(line) },
	})
	if err != nil {
		return fmt.Errorf("start %q: %w", spec.Command, err)
	}
	s.watch(s.marker, u.process.PID())
	return awaitUpstream(ctx, u, dependencyStart)
}

// dependencyLookup answers what a dependency's own command and ready probe may use: its own address, the test authority's files, the build
// folder and the run's folder.
func (s *suite) dependencyLookup(u *upstream) func(string) (string, error) {
	return func(name string) (string, error) {
		switch name {
		case "bin":
			return s.bin, nil
		case "dir":
			return s.dir, nil
		case u.spec.Name:
			return u.address, nil
		case u.spec.Name + ".host":
			return part(u.address, 0)
		case u.spec.Name + ".port":
			return part(u.address, 1)
		}
		if file, ok := strings.CutPrefix(name, "ca."); ok {
			return s.authority.file(file)
		}
		return "", fmt.Errorf("${%s}: a dependency's command knows ${%s}, ${%s.host}, ${%s.port}, ${ca.file}, ${ca.cert}, ${ca.key}, ${bin} and ${dir}", name, u.spec.Name, u.spec.Name, u.spec.Name)
	}
}

// awaitUpstream waits until the dependency answers its ready probe (default: a TCP connect), dies, or time is over.
func awaitUpstream(ctx context.Context, u *upstream, limit time.Duration) error {
	spec := probes.Spec{TCP: &probes.TCP{Address: u.address}}
	if u.spec.Ready != nil {
		spec = *u.spec.Ready
	}
	if spec.Within == 0 {
		spec.Within = timeline.Duration(limit)
	}
	probe, err := probes.New(spec, probes.Env{Log: u.tail.find})
	if err != nil {
		return fmt.Errorf("its ready probe: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if u.process != nil {
		gone := make(chan struct{})
		defer func() { <-gone }()
		go func() {
			defer close(gone)
			select {
			case <-u.process.Done():
				cancel(fmt.Errorf("it exited (%s) before it was ready; its last lines:\n%s", u.process.Exit(), u.tail))
			case <-ctx.Done():
			}
		}()
		defer cancel(nil)
	}
	if _, err := probes.Poll(ctx, probe, spec.Timing(), nil); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
			return cause
		}
		if u.process == nil {
			return fmt.Errorf("nothing usable answers at %s: %w: start it, correct `upstream`, or let chaos start one with `server:` or `command:`", u.address, err)
		}
		return fmt.Errorf("not ready: %w; its last lines:\n%s", err, u.tail)
	}
	return nil
}

// failure says why a dependency is not there any more, or nil.
func (u *upstream) failure() error {
	if u.process == nil {
		return nil
	}
	select {
	case <-u.process.Done():
		return fmt.Errorf("dependency %s exited (%s) while trials ran; its last lines:\n%s", u.spec.Name, u.process.Exit(), u.tail)
	default:
		return nil
	}
}

func (u *upstream) dial(ctx context.Context) error {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", u.address)
	if err != nil {
		return err
	}
	return c.Close()
}

// reachable says whether a dependency still takes connections: where it has died in the meantime, a trial shows nothing of the service.
func (u *upstream) reachable(ctx context.Context) error {
	if !u.answered {
		return nil // it never took one, and was found to be up all the same
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		err := u.dial(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond): // it may have too much to do for a moment
		case <-ctx.Done():
			return fmt.Errorf("dependency %s does not answer at %s any more: %w: see why it ended, and start it again", u.spec.Name, u.address, err)
		}
	}
}

func (s *suite) stopDependencies(ctx context.Context) error {
	errs := make([]error, len(s.upstreams))
	var wg sync.WaitGroup
	for i, u := range s.upstreams {
		wg.Go(func() { errs[i] = u.stop(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (u *upstream) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*dependencyGrace)
	defer cancel()
	if u.server != nil {
		return u.server.Stop(ctx)
	}
	if u.process == nil {
		return nil
	}
	u.process.Stop(ctx, syscall.SIGTERM, dependencyGrace)
	return u.process.Close()
}

// namespaced answers database, user and password of a `server:` dependency, making the trial's own corner the first time.
func (d *dependency) namespaced(ctx context.Context, t *trial, attribute string) (string, error) {
	if d.upstream.server == nil {
		return "", fmt.Errorf("${%s.%s}: only a dependency with `server:` has one", d.name, attribute)
	}
	if d.namespace == nil {
		ns, err := d.upstream.server.Namespace(ctx, t.name)
		if err != nil {
			return "", fmt.Errorf("make a %s database for the trial: %w", d.name, err)
		}
		d.namespace = ns
	}
	value, ok := d.namespace.Vars[attribute]
	if !ok {
		return "", fmt.Errorf("${%s.%s}: a %s server has no %s", d.name, attribute, d.upstream.spec.Server, attribute)
	}
	return value, nil
}
