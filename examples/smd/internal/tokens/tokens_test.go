package tokens

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/chaos-startup/chaos/examples/smd/internal/authserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is an auth service that can be restarted with another key.
type service struct {
	*httptest.Server
	handler atomic.Pointer[http.Handler]
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{}
	s.restart(t)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*s.handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) restart(t *testing.T) {
	t.Helper()
	handler, err := authserver.New()
	require.NoError(t, err)
	s.handler.Store(&handler)
}

func (s *service) token(t *testing.T) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	(*s.handler.Load()).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/token", bytes.NewBufferString(`{"user":"ada"}`)))
	var body struct{ Token string }
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &body))
	return body.Token
}

func TestOnlyTheAuthServiceSigns(t *testing.T) {
	auth := newService(t)
	keys := New(auth.URL + "/")
	_, err := keys.subject(auth.token(t))
	require.Error(t, err, "no key has been fetched")
	n, err := keys.Fetch(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	who, err := keys.Subject(t.Context(), auth.token(t))
	require.NoError(t, err)
	assert.Equal(t, "ada", who)

	claims := jwt.RegisteredClaims{Subject: "eve", Issuer: Issuer, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}
	symmetric, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("guess"))
	require.NoError(t, err)
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	other := newService(t)
	for name, token := range map[string]string{"HS256": symmetric, "none": unsigned, "another key": other.token(t), "empty": ""} {
		_, err := keys.Subject(t.Context(), token)
		assert.Error(t, err, name)
	}
	who, err = Unverified(symmetric)
	require.NoError(t, err)
	assert.Equal(t, "eve", who)
}

func TestANewKeyIsFetchedOnceItIsSeen(t *testing.T) {
	auth := newService(t)
	keys := New(auth.URL)
	_, err := keys.Fetch(t.Context())
	require.NoError(t, err)
	auth.restart(t)
	_, err = keys.Subject(t.Context(), auth.token(t))
	require.ErrorIs(t, err, errUnknownKey, "the keys are too fresh to be fetched again")
	keys.fetched = keys.fetched.Add(-time.Minute)
	who, err := keys.Subject(t.Context(), auth.token(t))
	require.NoError(t, err)
	assert.Equal(t, "ada", who)
}

func TestAUselessKeySetIsAnError(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON": "<html>", "no keys": `{"keys":[]}`, "elliptic": `{"keys":[{"kty":"EC","kid":"a"}]}`,
		"no modulus": `{"keys":[{"kty":"RSA","kid":"a","n":"","e":"AQAB"}]}`, "no base64": `{"keys":[{"kty":"RSA","n":"!","e":"AQAB"}]}`,
	} {
		auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		_, err := New(auth.URL).Fetch(t.Context())
		assert.Error(t, err, name)
		auth.Close()
	}
	auth := httptest.NewServer(http.NotFoundHandler())
	defer auth.Close()
	_, err := New(auth.URL).Fetch(t.Context())
	assert.ErrorContains(t, err, "404")
}
