package toxiapi

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAuthority: who trusts what /ca.pem hands out meets a fault inside TLS, and no certificate error.
func TestAuthority(t *testing.T) {
	up := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(up.Close)
	_, url := serve(t, Options{})
	p := told(t, ask(t, "POST", url+"/proxies", fmt.Sprintf(`{"name":"a","listen":"127.0.0.1:0","upstream":%q}`, strings.TrimPrefix(up.URL, "https://"))))
	add(t, url, `{"type":"http_error","attributes":{"status":503,"tls":true}}`)
	authority := ask(t, "GET", url+"/ca.pem", "")
	assert.Equal(t, "application/x-pem-file", authority.header.Get("Content-Type"))
	trust := x509.NewCertPool()
	require.True(t, trust.AppendCertsFromPEM([]byte(authority.body)), authority.body)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: trust}}}
	resp, err := client.Get("https://" + p.Listen)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
}
