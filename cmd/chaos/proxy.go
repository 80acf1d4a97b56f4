package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/toxiapi"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

const (
	proxyAddress = "127.0.0.1:8474"    // Toxiproxy's
	tokenEnv     = "CHAOS_PROXY_TOKEN" // #nosec G101 -- a name, no token
)

// proxyFlags are the flags of proxy.
type proxyFlags struct {
	config, listen, token string
	authority             string
	hosts                 []string
	seed                  uint64
	verbose               bool
}

func newProxyCmd(d deps) *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use: "proxy [NAME=[LISTEN,]UPSTREAM...]", Args: cobra.ArbitraryArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Short: "Run the proxies alone, driven by any Toxiproxy client",
		Long: `Run proxies until Ctrl-C, and serve the HTTP API of Toxiproxy 2.12 for them: its clients and toxiproxy-cli work as they are.
Besides Toxiproxy's toxics every fault of chaos is a toxic of its own name. docs/proxy.md tells what differs.

Proxies come from the arguments, from the file of --config (Toxiproxy's JSON, the same as YAML, or an experiments.yaml whose
dependencies have an upstream) and from the API. When all of them listen their addresses are written to standard output.

The faults tls, http_error and grpc_error show certificates of a test authority that is made at the start. Its own is at
GET /ca.pem of the API, and in the file of --ca-file until the end.

The API is for this machine alone, and not for browsers. To listen elsewhere it needs a token: clients send it as
"Authorization: Bearer TOKEN", or have it in their URL as http://:TOKEN@host:8474.`,
		Example: `  chaos proxy redis=127.0.0.1:26379,127.0.0.1:6379   # clients of redis connect to port 26379
  chaos proxy db=db.example:5432                      # a free port, which is told
  chaos proxy --config toxiproxy.json --seed 7        # the same random choices each time
  chaos proxy --listen 0.0.0.0:8474 --token "$SECRET" # or the token in CHAOS_PROXY_TOKEN, where ps does not show it
  chaos proxy api=api.example:443 --ca-file ca.pem    # clients that trust it can meet tls and http_error inside TLS
  chaos proxy --allow-host toxiproxy -v               # for clients that call this machine so; say what is asked`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(d, args)
			if err != nil {
				return usageError{err}
			}
			return serveProxies(cmd.Context(), d, o, f.authority)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "", "start the proxies of this `file`")
	flags.StringVarP(&f.listen, "listen", "l", proxyAddress, "`address` of the API; port 0 takes a free one")
	flags.StringVar(&f.token, "token", "", "a `secret` that every request to the API must have (default: "+tokenEnv+")")
	flags.StringArrayVar(&f.hosts, "allow-host", nil, "`name` of this machine, besides localhost, by which requests may call it; may be repeated")
	flags.StringVar(&f.authority, "ca-file", "", "write the test authority's certificate to this `file` while it runs: for tls faults")
	flags.Uint64Var(&f.seed, "seed", 1, "make every random choice from seed `n`")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log every request to the API")
	must(cmd.RegisterFlagCompletionFunc("config", files("json", "yaml", "yml")))
	must(cmd.RegisterFlagCompletionFunc("ca-file", files("pem", "crt")))
	return cmd
}

// options checks flags, arguments and file.
func (f *proxyFlags) options(d deps, args []string) (toxiapi.Options, error) {
	fromEnv, _ := d.env(tokenEnv)
	o := toxiapi.Options{Listen: f.listen, Token: cmp.Or(f.token, fromEnv), AllowHosts: f.hosts, Seed: f.seed}
	logger := newLogger(d.stderr)
	o.On = func(i toxiapi.Incident) { logIncident(logger, i) }
	if f.verbose {
		o.Log = func(method, path string, status int) {
			logger.Info("request", zap.String("method", method), zap.String("path", path), zap.Int("status", status))
		}
	}
	errs := []error{checkAPIAddress(f.listen, o.Token), checkAuthorityFile(f.authority)}
	var named []toxiapi.Config
	for _, arg := range args {
		p, err := proxyArg(arg)
		errs = append(errs, err)
		named = append(named, p)
	}
	if err := errors.Join(errs...); err != nil {
		return o, err
	}
	list, err := f.load(d)
	if err != nil {
		return o, err
	}
	list = append(list, named...)
	seen := map[string]bool{}
	for _, p := range list {
		if seen[p.Name] {
			errs = append(errs, fmt.Errorf("there are two proxies %s: give each a name of its own", p.Name))
		}
		seen[p.Name] = true
		o.Proxies = append(o.Proxies, p)
	}
	return o, errors.Join(errs...)
}

// logIncident tells what no answer of the API tells.
func logIncident(logger *zap.Logger, i toxiapi.Incident) {
	name := zap.String("proxy", i.Proxy)
	switch i.Kind {
	case toxiapi.Unreachable:
		logger.Warn("the upstream cannot be reached", name, zap.String("upstream", i.Upstream), zap.NamedError("error", i.Err), zap.Int("times", i.Times))
	case toxiapi.Shortage:
		logger.Warn("no descriptors for more connections: they wait until others end; raise the limit of open files (ulimit -n)", name, zap.Error(i.Err))
	case toxiapi.ShortageOver:
		logger.Info("there are descriptors for connections again", name)
	default:
		logger.Error("a connection failed inside chaos and was reset", name, zap.Error(i.Err))
	}
}

// checkAPIAddress refuses to let other machines drive the proxies without a token.
func checkAPIAddress(address, token string) error {
	if err := toxiapi.CheckListen(address); err != nil {
		return fmt.Errorf("--listen %s: %w: expected host:port, such as %s", address, err, proxyAddress)
	}
	host, port, _ := net.SplitHostPort(address)
	switch {
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the token must be plain text without spaces: it is sent in a header")
	case token == "" && !toxiapi.IsLoopback(host):
		return fmt.Errorf("--listen %s: other machines may reach it, and whoever does drives the proxies: set a token with --token or %s, or listen on 127.0.0.1:%s",
			address, tokenEnv, port)
	}
	return nil
}

// proxyArg reads NAME=[LISTEN,]UPSTREAM.
func proxyArg(arg string) (toxiapi.Config, error) {
	name, addresses, ok := strings.Cut(arg, "=")
	if !ok || name == "" {
		return toxiapi.Config{}, fmt.Errorf("proxy %q: expected NAME=LISTEN,UPSTREAM, such as redis=127.0.0.1:26379,127.0.0.1:6379", arg)
	}
	p := toxiapi.Config{Name: name, Listen: "127.0.0.1:0", Upstream: addresses, Enabled: true}
	if listen, upstream, both := strings.Cut(addresses, ","); both {
		p.Listen, p.Upstream = cmp.Or(listen, p.Listen), upstream
	}
	if err := errors.Join(toxiapi.CheckListen(p.Listen), toxiapi.CheckUpstream(p.Upstream)); err != nil {
		return p, fmt.Errorf("proxy %s: %w", name, err)
	}
	return p, nil
}

// load reads the file of --config.
func (f *proxyFlags) load(d deps) ([]toxiapi.Config, error) {
	if f.config == "" {
		return nil, nil
	}
	list, err := experiments.LoadProxies(f.config, experiments.Options{Env: d.env}, experiments.ProxyChecks{
		Listen: toxiapi.CheckListen, Upstream: toxiapi.CheckUpstream,
		Toxic: func(t experiments.ProxyToxic) []faults.Problem {
			_, problems := toxiapi.NewToxic(t.Name, t.Type, t.Stream, t.Toxicity, t.Attributes)
			return problems
		},
	})
	var out []toxiapi.Config
	for _, p := range list {
		c := toxiapi.Config{Name: p.Name, Listen: p.Listen, Upstream: p.Upstream, Enabled: p.Enabled}
		for _, t := range p.Toxics {
			toxic, _ := toxiapi.NewToxic(t.Name, t.Type, t.Stream, t.Toxicity, t.Attributes)
			c.Toxics = append(c.Toxics, toxic)
		}
		out = append(out, c)
	}
	return out, err
}

// serveProxies runs until a signal. The file authority has the test authority's certificate until then; "": none.
func serveProxies(ctx context.Context, d deps, o toxiapi.Options, authority string) error {
	ctx, signals := watch(ctx, d, func(line string) { fmt.Fprintln(d.stderr, line) })
	defer signals.stop()
	s, err := toxiapi.Listen(ctx, o)
	if err != nil {
		return harnessError{err}
	}
	remove, written := writeAuthority(authority)
	if written == nil {
		written = failed(tellProxies(d, s))
	}
	if written != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		cancel()
	}
	if err := errors.Join(written, s.Serve(ctx), remove()); err != nil {
		return harnessError{err}
	}
	return exitError{signals.code()}
}

func tellProxies(d deps, s *toxiapi.Server) error {
	var b strings.Builder
	all := s.Proxies()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		state := ""
		if !p.Enabled {
			state = " (disabled)"
		}
		fmt.Fprintf(&b, "%s: %s -> %s%s\n", plain(name), p.Listen, p.Upstream, state)
	}
	fmt.Fprintf(&b, "API of Toxiproxy %s: http://%s\n", toxiapi.Version, s.Addr())
	_, err := d.stdout.Write([]byte(b.String()))
	return err
}
