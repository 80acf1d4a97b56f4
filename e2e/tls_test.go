package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/proxy"
	"github.com/chaos-startup/chaos/runner"
	"github.com/chaos-startup/chaos/timeline"
)

// works is what a client meets that does not notice.
const works = ""

// tlsRow is what each client that trusts the authority meets under one kind. checked: who does not check certificates does not notice.
type tlsRow struct {
	kind    string
	checked bool
	meets   map[string]string
}

const goUnknown = "x509: certificate signed by unknown authority"

var httpsRows = []tlsRow{
	{"expired", true, map[string]string{"net/http": "x509: certificate has expired or is not yet valid: current time", "curl": "curl: (60) SSL certificate problem: certificate has expired",
		"node": "CERT_HAS_EXPIRED: certificate has expired", "openssl": "verify error:num=10:certificate has expired"}},
	{"not_yet_valid", true, map[string]string{"net/http": " is before ", "curl": "curl: (60) SSL certificate problem: certificate is not yet valid",
		"node": "CERT_NOT_YET_VALID: certificate is not yet valid", "openssl": "verify error:num=9:certificate is not yet valid"}},
	{"wrong_name", true, map[string]string{"net/http": "x509: certificate is valid for other.invalid, not localhost", "curl": "curl: (60) SSL: no alternative certificate subject name",
		"node": "ERR_TLS_CERT_ALTNAME_INVALID", "openssl": "verify error:num=62:hostname mismatch"}},
	{"unknown_ca", true, map[string]string{"net/http": goUnknown, "curl": "curl: (60) SSL certificate problem: self-signed certificate in certificate chain",
		"node": "SELF_SIGNED_CERT_IN_CHAIN", "openssl": "verify error:num=19:self-signed certificate in certificate chain"}},
	{"self_signed", true, map[string]string{"net/http": goUnknown, "curl": "curl: (60) SSL certificate problem: self-signed certificate",
		"node": "DEPTH_ZERO_SELF_SIGNED_CERT: self-signed certificate", "openssl": "verify error:num=18:self-signed certificate"}},
	{"missing_intermediate", true, map[string]string{"net/http": goUnknown, "curl": "curl: (60) SSL certificate problem: unable to get local issuer certificate",
		"node": "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "openssl": "verify error:num=20:unable to get local issuer certificate"}},
	{"common_name_only", true, map[string]string{"net/http": "x509: certificate relies on legacy Common Name field, use SANs instead", "curl": works, "node": works, "openssl": works}},
	{"wrong_usage", true, map[string]string{"net/http": "x509: certificate specifies an incompatible key usage", "curl": "curl: (60) SSL certificate problem: unsuitable certificate purpose",
		"node": "INVALID_PURPOSE", "openssl": "verify error:num=26:unsuitable certificate purpose"}},
	{"client_certificate", false, map[string]string{"net/http": "", "curl": "alert certificate required",
		"node": "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "openssl": "alert certificate required"}},
	{"old_version", false, map[string]string{"net/http": "tls: server selected unsupported protocol version 301", "curl": "curl: (35)",
		"node": "unsupported protocol", "openssl": ":error:"}},
	{"plaintext", false, map[string]string{"net/http": "http: server gave HTTP response to HTTPS client", "curl": "wrong version number",
		"node": "wrong version number", "openssl": "wrong version number"}},
	{"alert", false, map[string]string{"net/http": "remote error: tls: handshake failure", "curl": "alert handshake failure",
		"node": "alert handshake failure", "openssl": "alert handshake failure"}},
	{"handshake_cut", false, map[string]string{"net/http": "EOF", "curl": "curl: (35)",
		"node": "ECONNRESET: Client network socket disconnected before secure TLS connection was established", "openssl": "unexpected eof while reading"}},
	{"handshake_reset", false, map[string]string{"net/http": "connection reset by peer", "curl": "Connection reset by peer",
		"node": "ECONNRESET", "openssl": "errno=104"}},
}

var postgresRows = []tlsRow{
	{"expired", true, map[string]string{"pgx": "x509: certificate has expired or is not yet valid: current time", "psql": "SSL error: certificate verify failed"}},
	{"not_yet_valid", true, map[string]string{"pgx": " is before ", "psql": "SSL error: certificate verify failed"}},
	{"wrong_name", true, map[string]string{"pgx": "x509: certificate is valid for other.invalid, not localhost",
		"psql": `server certificate for "other.invalid" does not match host name "localhost"`}},
	{"unknown_ca", true, map[string]string{"pgx": goUnknown, "psql": "SSL error: certificate verify failed"}},
	{"self_signed", true, map[string]string{"pgx": goUnknown, "psql": "SSL error: certificate verify failed"}},
	{"missing_intermediate", true, map[string]string{"pgx": goUnknown, "psql": "SSL error: certificate verify failed"}},
	{"common_name_only", true, map[string]string{"pgx": "x509: certificate relies on legacy Common Name field, use SANs instead", "psql": works}},
	{"wrong_usage", true, map[string]string{"pgx": "x509: certificate specifies an incompatible key usage", "psql": "SSL error: certificate verify failed"}},
	{"client_certificate", false, map[string]string{"pgx": "remote error: tls: certificate required", "psql": "alert certificate required"}},
	{"old_version", false, map[string]string{"pgx": "tls: server selected unsupported protocol version 301", "psql": "SSL error: "}},
	{"plaintext", false, map[string]string{"pgx": "server refused TLS connection", "psql": "server does not support SSL, but SSL was required"}},
	{"alert", false, map[string]string{"pgx": "remote error: tls: handshake failure", "psql": "alert handshake failure"}},
	{"handshake_cut", false, map[string]string{"pgx": "EOF", "psql": "SSL SYSCALL error: EOF detected"}},
	{"handshake_reset", false, map[string]string{"pgx": "connection reset by peer", "psql": "Connection reset by peer"}},
}

// TestTLSWithHTTPS: what clients say of each kind, that those who do not check go on, and that all is well after the lift.
func TestTLSWithHTTPS(t *testing.T) {
	programsOnly(t)
	careful, careless := httpsClients(t, authorityFile(t))
	meetTLS(t, secureServer(t), httpsRows, careful, careless)
}

// TestTLSWithPostgres: the same, behind PostgreSQL's SSLRequest.
func TestTLSWithPostgres(t *testing.T) {
	programsOnly(t)
	careful, careless := postgresClients(authorityFile(t))
	meetTLS(t, securePostgres(t).Addr, postgresRows, careful, careless)
}

func meetTLS(t *testing.T, upstream string, rows []tlsRow, careful, careless map[string]tlsClient) {
	for _, name := range slices.Sorted(maps.Keys(careful)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bites := make(chan string, len(rows))
			p := tlsProxy(t, upstream, func(e proxy.Event) {
				if e.Kind == proxy.Bite {
					bites <- e.Text
				}
			})
			address := p.Addr().String()
			require.NoError(t, careful[name](t, address), "before")
			for _, row := range rows {
				want, told := row.meets[name]
				require.True(t, told, row.kind)
				p.Arm(row.kind)
				err := careful[name](t, address)
				if row.checked && want == works {
					assert.NoError(t, err, row.kind)
				} else {
					assert.ErrorContains(t, err, want, row.kind)
				}
				assert.Equal(t, row.checked && want == works, strings.HasSuffix(bitten(t, bites), ": the service went on"), row.kind)
				p.Lift(row.kind)

				p.Arm(row.kind)
				err = careless[name](t, address)
				assert.Equal(t, row.checked, err == nil, "%s, careless: %v", row.kind, err)
				assert.Equal(t, row.checked, strings.HasSuffix(bitten(t, bites), ": the service went on"), "%s, careless", row.kind)
				p.Lift(row.kind)
				require.NoError(t, careful[name](t, address), "after the lift of %s: the real certificate", row.kind)
			}
		})
	}
}

func bitten(t *testing.T, bites <-chan string) string {
	t.Helper()
	select {
	case text := <-bites:
		return text
	case <-time.After(tlsPatience):
		require.Fail(t, "it never bit")
		return ""
	}
}

// carelessFile has a service that asks its dependency over TLS before it is ready: once as it should be, once without checking.
const carelessFile = `
version: 1
service:
  command: [sh, -c, 'curl -sS $FLAGS --cacert "$CA" "https://localhost:$AUTH" && echo READY && exec sleep 60']
  env: {CA: '${ca.file}', AUTH: '${auth.port}', FLAGS: --fail}
  ready: {log: READY}
  budget: 20s
dependencies:
  auth:
    command: [openssl, s_server, -quiet, -www, -accept, '127.0.0.1:${dep.port}', -cert, '${ca.cert}', -cert_chain, '${ca.cert}', -key, '${ca.key}']
experiments:
  - {name: careful, inject: [{on: auth, fault: {tls: expired}}], expect: fail_fast}
  - {name: careless, service: {env: {FLAGS: --insecure}}, inject: [{on: auth, fault: {tls: expired}}], expect: fail_fast}
`

// TestTLSExperiment: a service that does not check certificates is found out, and one that does is not blamed.
func TestTLSExperiment(t *testing.T) {
	if _, err := programTls(t, nil, "curl", "--version"); err != nil {
		require.NoError(t, err)
	}
	path := filepath.Join(t.TempDir(), "careless.yaml")
	require.NoError(t, os.WriteFile(path, []byte(carelessFile), 0o600))
	plan, err := load(t, path, nil).Expand(experiments.Selection{})
	require.NoError(t, err)
	report, err := runner.Run(t.Context(), plan, runner.Options{LookupEnv: os.LookupEnv})
	require.NoError(t, err)
	want := map[string]contracts.Verdict{"": contracts.Pass, "careful": contracts.Pass, "careless": contracts.Fail}
	bites := map[string]string{"careful": "presented an expired certificate: the service refused it", "careless": "presented an expired certificate: the service went on"}
	for _, trial := range report.Trials {
		assert.Equal(t, want[trial.Experiment], trial.Verdict, "%s: %v", trial.Title, trial.Reasons)
		text := ""
		for _, e := range trial.Timeline {
			if e.Kind == timeline.FaultBite {
				text = e.Text
			}
		}
		assert.Contains(t, text, bites[trial.Experiment], trial.Title)
	}
}
