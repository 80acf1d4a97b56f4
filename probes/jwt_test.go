package probes

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// guard answers 200 to the bearer of a token that check accepts, and 401 with the token to everybody else.
func guard(t *testing.T, check func(token string) error) string {
	t.Helper()
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		if err := check(token); err != nil {
			http.Error(w, err.Error()+": "+token, http.StatusUnauthorized)
		}
	})
}

// parser is a sound check of tokens with one key.
func parser(key any, options ...jwt.ParserOption) func(string) error {
	return func(token string) error {
		_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return key, nil }, options...)
		return err
	}
}

func pemOf(t *testing.T, key any) string {
	t.Helper()
	data, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: data}))
}

func TestJWTOfASoundService(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.pem"), []byte(pemOf(t, rsaKey)), 0o600))
	strict := []jwt.ParserOption{jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithIssuer("login"), jwt.WithSubject("ada")}
	claims := map[string]any{"sub": "ada", "iss": "login", "roles": []any{"admin"}}
	for name, c := range map[string]struct {
		jwt JWT
		key any
		alg string
	}{
		"secret":       {JWT{Secret: secret, Claims: claims}, []byte(secret), "HS256"},
		"other secret": {JWT{Secret: secret, Algorithm: "HS512", Claims: claims}, []byte(secret), "HS512"},
		"key":          {JWT{Key: pemOf(t, rsaKey), Claims: claims}, &rsaKey.PublicKey, "RS256"},
		"key file":     {JWT{KeyFile: "key.pem", Algorithm: "PS256", Claims: claims}, &rsaKey.PublicKey, "PS256"},
		"curve":        {JWT{Key: pemOf(t, ecKey), Algorithm: "ES256", Claims: claims}, &ecKey.PublicKey, "ES256"},
		"edwards":      {JWT{Key: pemOf(t, private), Algorithm: "EdDSA", Claims: claims}, public, "EdDSA"},
	} {
		t.Run(name, func(t *testing.T) {
			c.jwt.URL = guard(t, parser(c.key, append(strict, jwt.WithValidMethods([]string{c.alg}))...))
			_, err := ask(t, Spec{JWT: &c.jwt}, Env{Dir: dir})
			require.NoError(t, err)
			c.jwt.Refused = 401
			_, err = ask(t, Spec{JWT: &c.jwt}, Env{Dir: dir})
			require.NoError(t, err)
		})
	}
}

// Each weakness is found by the token that is for it.
func TestJWTOfAWeakService(t *testing.T) {
	key := []byte(secret)
	valid := []string{"HS256"}
	for name, c := range map[string]struct {
		check func(string) error
		want  string
	}{
		"refuses all": {func(string) error { return jwt.ErrTokenMalformed }, "expected status 200..299 to a valid token, got 401: token is malformed: xxxxx"},
		"verifies nothing": {func(token string) error {
			_, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
			return err
		}, "expected status 401 or 403 to a tampered token, got 200"},
		"forgets the time": {parser(key, jwt.WithValidMethods(valid), jwt.WithLeeway(1e6*time.Hour)),
			"expected status 401 or 403 to an expired token, got 200"},
		"believes none": {func(token string) error {
			if strings.HasSuffix(token, ".") {
				return nil
			}
			return parser(key)(token)
		}, "expected status 401 or 403 to an unsigned token, got 200"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, Spec{JWT: &JWT{URL: guard(t, c.check), Secret: secret}}, Env{})
			require.ErrorContains(t, err, "jwt GET http://127.0.0.1:")
			assert.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "eyJ", "no token is shown")
		})
	}
	open := serveHTTP(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && parser(key)(token) != nil {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	_, err := ask(t, Spec{JWT: &JWT{URL: open, Secret: secret}}, Env{})
	require.ErrorContains(t, err, "expected status 401 or 403 without a token, got 200")
}

func TestJWTCases(t *testing.T) {
	sign := func(expires time.Time) string {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ada", "exp": expires.Unix()}).SignedString([]byte(secret))
		require.NoError(t, err)
		return token
	}
	old := sign(time.Now().Add(-time.Hour))
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request, body string) {
		token := r.Header.Get("X-Token")
		switch {
		case r.Method != http.MethodPost || body != "hello" || r.Header.Get("X-Kind") != "probe":
			w.WriteHeader(http.StatusBadRequest)
		case r.URL.Path == "/old" && token == old:
			w.WriteHeader(http.StatusGone)
		case parser([]byte(secret))(token) == nil:
			w.WriteHeader(http.StatusAccepted)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	j := JWT{URL: url + "/me", Method: "POST", Body: "hello", Headers: map[string]string{"X-Kind": "probe"}, Header: "X-Token",
		Token: sign(time.Now().Add(time.Hour)), Status: 202, Refused: 404,
		Expired: &JWTCase{URL: url + "/old", Status: 410, Token: old}, Missing: &JWTCase{Skip: true}}
	got, err := ask(t, Spec{JWT: &j}, Env{})
	require.NoError(t, err)
	assert.Equal(t, 404, got.Status, "the answer is the last one's")
	j.Expired.URL = ""
	_, err = ask(t, Spec{JWT: &j}, Env{})
	require.ErrorContains(t, err, "expected status 410 to an expired token, got 404")
	j.Token = "no token"
	_, err = ask(t, Spec{JWT: &j}, Env{})
	require.ErrorContains(t, err, "expected a JSON Web Token")
}

func TestJWTKeyFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad.pem"), []byte(secret), 0o600))
	for file, want := range map[string]string{
		"none.pem": "jwt: expected a private key in none.pem, got no such file or directory",
		"bad.pem":  "jwt: expected a private key for RS256 in PEM, got something else",
	} {
		_, err := ask(t, Spec{JWT: &JWT{URL: "http://127.0.0.1:1/", KeyFile: file}}, Env{Dir: dir})
		assert.EqualError(t, err, want)
	}
}
