package toxiapi

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBrowsersAreRefused(t *testing.T) {
	_, url := serve(t, Options{AllowHosts: []string{"toxiproxy"}})
	for name, c := range map[string]struct {
		headers []string
		status  int
		says    string
	}{
		"a client":                   {nil, 200, ""},
		"curl":                       {[]string{"User-Agent", "curl/8.5.0"}, 200, ""},
		"a browser":                  {[]string{"User-Agent", "Mozilla/5.0 (X11)"}, 403, "User agent not allowed"},
		"a page":                     {[]string{"Origin", "https://example.com"}, 403, "Origin"},
		"a page of a file":           {[]string{"Origin", "null"}, 403, "Origin"},
		"a page of ours":             {[]string{"Origin", url}, 403, "Origin"},
		"an image of a page":         {[]string{"Sec-Fetch-Site", "cross-site"}, 403, "Sec-Fetch-Site"},
		"a page of another port":     {[]string{"Sec-Fetch-Site", "same-site"}, 403, "Sec-Fetch-Site"},
		"a rebound name":             {[]string{"Host", "evil.example:8474"}, 403, `the host \"evil.example:8474\" is not a loopback address: name it with --allow-host`},
		"a name that begins like us": {[]string{"Host", "localhost.evil.example"}, 403, "--allow-host"},
		"an address elsewhere":       {[]string{"Host", "192.0.2.1:8474"}, 403, "--allow-host"},
		"localhost":                  {[]string{"Host", "localhost:8474"}, 200, ""},
		"LOCALHOST.":                 {[]string{"Host", "LOCALHOST.:8474"}, 200, ""},
		"a name of localhost":        {[]string{"Host", "api.localhost"}, 200, ""},
		"IPv6":                       {[]string{"Host", "[::1]:8474"}, 200, ""},
		"another loopback":           {[]string{"Host", "127.9.9.9"}, 200, ""},
		"an allowed name":            {[]string{"Host", "Toxiproxy:8474"}, 200, ""},
	} {
		a := ask(t, "GET", url+"/proxies", "", c.headers...)
		assert.Equal(t, c.status, a.status, "%s: %s", name, a.body)
		assert.Contains(t, a.body, c.says, name)
		assert.NotEmpty(t, a.header.Get("X-Toxiproxy-Request-Id"), name)
	}
}

func TestNothingIsChangedByAPage(t *testing.T) {
	s, url := serve(t, Options{})
	a := ask(t, "POST", url+"/proxies", `{"name":"a","upstream":"127.0.0.1:9"}`, "Origin", "http://127.0.0.1:3000", "Content-Type", "text/plain")
	assert.Equal(t, 403, a.status)
	assert.Empty(t, s.Proxies())
}

func TestToken(t *testing.T) {
	_, address := serve(t, Options{Token: "s3cret"})
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"none":           {nil, 401},
		"wrong":          {[]string{"Authorization", "Bearer s3cre"}, 401},
		"bare":           {[]string{"Authorization", "s3cret"}, 401},
		"empty":          {[]string{"Authorization", "Bearer "}, 401},
		"right":          {[]string{"Authorization", "Bearer s3cret"}, 200},
		"from elsewhere": {[]string{"Authorization", "Bearer s3cret", "Host", "chaos.example:8474"}, 200},
		"in a browser":   {[]string{"Authorization", "Bearer s3cret", "User-Agent", "Mozilla/5.0"}, 403},
	} {
		for _, path := range []string{"/proxies", "/version", "/metrics"} {
			a := ask(t, "GET", address+path, "", c.headers...)
			assert.Equal(t, c.status, a.status, "%s %s", name, path)
			if c.status == 401 {
				assert.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"), name)
				assert.Contains(t, a.body, `"status":401`)
			}
		}
	}
	u, err := url.Parse(address)
	require.NoError(t, err)
	u.User = url.UserPassword("", "s3cret") // as clients take it that can't set a header
	assert.Equal(t, 200, ask(t, "GET", u.String()+"/proxies", "").status)
}

func TestBodiesAreBounded(t *testing.T) {
	s, url := serve(t, Options{})
	long := `{"name":"` + strings.Repeat("x", maxBody) + `"}`
	for _, path := range []string{"/proxies", "/populate"} {
		a := ask(t, "POST", url+path, long)
		assert.Equal(t, http.StatusRequestEntityTooLarge, a.status, path)
		assert.Contains(t, a.body, "bad request body: http: request body too large")
	}
	assert.Empty(t, s.Proxies())
}
