package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
	"github.com/chaos-startup/chaos/internal/servers"
)

// tlsPatience is for what must come; it must be longer than any client waits by itself.
const tlsPatience = 30 * time.Second

// authorityFile is the test authority's certificate in a file.
func authorityFile(t *testing.T) string {
	t.Helper()
	root, err := faults.CertificateAuthority()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(path, root, 0o600))
	return path
}

func authorityPool(t *testing.T) *x509.CertPool {
	t.Helper()
	root, err := faults.CertificateAuthority()
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(root))
	return pool
}

// secureServer is an HTTPS server whose certificate the authority has signed. It answers with the protocol.
func secureServer(t *testing.T) string {
	t.Helper()
	chain, key, err := faults.ServerCertificate("localhost", "127.0.0.1")
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(chain, key)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "real "+r.Proto) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.Config.ErrorLog = nil
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// securePostgres is a real PostgreSQL with ssl = on.
func securePostgres(t *testing.T) *servers.Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "chaos-e2e-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711)) // #nosec G302 -- so that another user may enter
	s, err := servers.Start(t.Context(), "postgres", servers.Options{Dir: dir, Prefer: servers.Real})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	chain, key, err := faults.ServerCertificate("localhost", "127.0.0.1")
	require.NoError(t, err)
	statements := []string{"ALTER SYSTEM SET ssl = on"}
	owner, err := os.Stat(filepath.Join(s.Dir, "data"))
	require.NoError(t, err)
	for setting, data := range map[string][]byte{"ssl_cert_file": chain, "ssl_key_file": key} {
		path := filepath.Join(s.Dir, setting)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		id := owner.Sys().(*syscall.Stat_t)
		require.NoError(t, os.Chown(path, int(id.Uid), int(id.Gid)))
		statements = append(statements, "ALTER SYSTEM SET "+setting+" = '"+path+"'")
	}
	c, err := pgx.Connect(t.Context(), "postgres://app@"+s.Addr+"/app?sslmode=disable")
	require.NoError(t, err)
	defer c.Close(context.Background())
	for _, q := range append(statements, "SELECT pg_reload_conf()") {
		_, err := c.Exec(t.Context(), q)
		require.NoError(t, err, q)
	}
	require.Eventually(t, func() bool { return pgxAsks(t, s.Addr, "sslmode=require") == nil }, tlsPatience, 20*time.Millisecond)
	return s
}

// tlsProxy stands before upstream with every kind of the fault, dormant.
func tlsProxy(t *testing.T, upstream string, on func(proxy.Event)) *proxy.Proxy {
	t.Helper()
	config := proxy.Config{Name: "secure", Upstream: upstream, On: on}
	kind, ok := faults.Lookup("tls")
	require.True(t, ok)
	for _, k := range kind.Params[0].Enum {
		spec, problems := faults.Parse("tls", k)
		require.Empty(t, problems)
		config.Injections = append(config.Injections, proxy.Injection{ID: k, Fault: spec})
	}
	p, err := proxy.Start(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close(context.Background())) })
	return p
}

func pgxAsks(t *testing.T, address, options string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), tlsPatience)
	defer cancel()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	c, err := pgx.Connect(ctx, "postgres://app@localhost:"+port+"/app?"+options)
	if err != nil {
		return err
	}
	defer c.Close(context.Background())
	var n int
	return c.QueryRow(ctx, "SELECT generate_series(1, 20000) ORDER BY 1 DESC LIMIT 1").Scan(&n)
}

func httpAsks(t *testing.T, address string, config *tls.Config) (string, error) {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: tlsPatience}).Get("https://localhost:" + port)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// programTls runs a programTls to its end and returns what it said; an error has that in its text.
func programTls(t *testing.T, env []string, argv ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(argv[0])
	if err != nil {
		if os.Getenv("CHAOS_REQUIRE_SERVERS") == "1" {
			require.NoError(t, err)
		}
		t.Skipf("there is no %s", argv[0])
	}
	ctx, cancel := context.WithTimeout(t.Context(), tlsPatience)
	defer cancel()
	c := exec.CommandContext(ctx, path, argv[1:]...)
	c.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	err = c.Run()
	text := strings.TrimSpace(said.String())
	if err != nil {
		return "", saidError(text)
	}
	return text, nil
}

type saidError string

func (s saidError) Error() string { return string(s) }

// tlsClient asks something of the server behind address, trusting the authority, and fails if it does not get it.
type tlsClient func(t *testing.T, address string) error

// httpsClients by name; careless ones do not check certificates.
func httpsClients(t *testing.T, ca string) (careful, careless map[string]tlsClient) {
	t.Helper()
	over := func(argv func(url, port string) []string, env ...string) tlsClient {
		return func(t *testing.T, address string) error {
			_, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			said, err := programTls(t, env, argv("https://localhost:"+port, port)...)
			if err == nil && !strings.Contains(said, "real HTTP/") {
				return saidError(said)
			}
			return err
		}
	}
	goes := func(config *tls.Config) tlsClient {
		return func(t *testing.T, address string) error {
			said, err := httpAsks(t, address, config.Clone())
			if err == nil && said != "real HTTP/2.0" {
				return saidError(said)
			}
			return err
		}
	}
	const script = `require("https").get(process.argv[1], {autoSelectFamily: true}, r => r.pipe(process.stdout)).on("error", e => { console.error(e.code + ": " + e.message); process.exit(1) })`
	s_client := func(flags string) func(url, port string) []string {
		return func(_, port string) []string {
			return []string{"sh", "-c", `printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -connect 127.0.0.1:` + port + ` -servername localhost -quiet -ign_eof ` + flags}
		}
	}
	return map[string]tlsClient{
			"net/http": goes(&tls.Config{RootCAs: authorityPool(t)}),
			"curl":     over(func(url, _ string) []string { return []string{"curl", "-sS", "--cacert", ca, url} }),
			"node":     over(func(url, _ string) []string { return []string{"node", "-e", script, url} }, "NODE_EXTRA_CA_CERTS="+ca),
			"openssl":  over(s_client("-verify_return_error -verify_hostname localhost -CAfile " + ca)),
		}, map[string]tlsClient{
			"net/http": goes(&tls.Config{InsecureSkipVerify: true}),
			"curl":     over(func(url, _ string) []string { return []string{"curl", "-sS", "-k", url} }),
			"node":     over(func(url, _ string) []string { return []string{"node", "-e", script, url} }, "NODE_TLS_REJECT_UNAUTHORIZED=0"),
			"openssl":  over(s_client("")),
		}
}

func postgresClients(ca string) (careful, careless map[string]tlsClient) {
	psql := func(options string) tlsClient {
		return func(t *testing.T, address string) error {
			_, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			_, err = programTls(t, nil, "psql", "-Atc", "SELECT 1", "host=localhost hostaddr=127.0.0.1 user=app dbname=app port="+port+" "+options)
			return err
		}
	}
	goes := func(options string) tlsClient {
		return func(t *testing.T, address string) error { return pgxAsks(t, address, options) }
	}
	return map[string]tlsClient{
			"pgx":  goes("sslmode=verify-full&sslrootcert=" + ca),
			"psql": psql("sslmode=verify-full sslrootcert=" + ca),
		}, map[string]tlsClient{
			"pgx":  goes("sslmode=require"),
			"psql": psql("sslmode=require"),
		}
}
