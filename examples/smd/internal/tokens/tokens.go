// Package tokens checks RS256 JSON Web Tokens against the key set that the auth
// service publishes.
//
// It refuses every other algorithm, tokens without an expiry, and keys it has
// not fetched from the auth service itself.
package tokens

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Issuer is who must have signed.
const Issuer = "smd-auth"

const answerLimit = 1 << 20

// Keys is the key manager; safe for concurrent use.
type Keys struct {
	url  string
	http *http.Client

	mu      sync.Mutex
	keys    map[string]*rsa.PublicKey
	fetched time.Time
}

// New returns an empty key manager for an auth service at base (http://host:port).
func New(base string) *Keys {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // fetched once in a while: nothing to keep
	transport.Proxy = nil
	return &Keys{url: strings.TrimRight(base, "/") + "/.well-known/jwks.json", http: &http.Client{Transport: transport}}
}

// Fetch replaces the known keys by the published ones and returns how many
// there are; none at all is an error and changes nothing.
func (k *Keys) Fetch(ctx context.Context) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return 0, fmt.Errorf("fetch keys: %w", err)
	}
	response, err := k.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("fetch keys: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read-only
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("fetch keys: GET %s: %s", k.url, response.Status)
	}
	keys, err := decode(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return 0, fmt.Errorf("fetch keys: GET %s: %w", k.url, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.fetched = keys, time.Now()
	return len(keys), nil
}

// Subject returns whom a token speaks for, or why it is refused. A key id that
// is not known yet makes it fetch the keys again, once a second at most: the
// auth service may have been restarted with a new key.
func (k *Keys) Subject(ctx context.Context, token string) (string, error) {
	subject, err := k.subject(token)
	if !errors.Is(err, errUnknownKey) || !k.stale() {
		return subject, err
	}
	if _, err := k.Fetch(ctx); err != nil {
		return "", err
	}
	return k.subject(token)
}

var errUnknownKey = errors.New("signed with a key that the auth service does not publish")

func (k *Keys) subject(token string) (string, error) {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims, k.key,
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithIssuer(Issuer))
	if err != nil {
		return "", err
	}
	return claims.Subject, nil
}

func (k *Keys) key(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.keys[id]; ok {
		return key, nil
	}
	return nil, errUnknownKey
}

func (k *Keys) stale() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.fetched) > time.Second
}

// IsExpired says whether a token was refused for its age alone.
func IsExpired(err error) bool { return errors.Is(err, jwt.ErrTokenExpired) }

// Unverified returns the subject that a token claims without checking anything.
// It exists for the defects no-auth and accept-expired alone.
func Unverified(token string) (string, error) {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		return "", err
	}
	return claims.Subject, nil
}

func decode(body io.Reader) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []struct {
			Kty, Kid, N, E string
		} `json:"keys"`
	}
	if err := json.NewDecoder(body).Decode(&set); err != nil {
		return nil, fmt.Errorf("not a JSON key set: %w", err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, key := range set.Keys {
		n, errN := base64.RawURLEncoding.DecodeString(key.N)
		e, errE := base64.RawURLEncoding.DecodeString(key.E)
		if key.Kty != "RSA" || errN != nil || errE != nil || len(n) == 0 || len(e) == 0 || len(e) > 4 {
			continue
		}
		keys[key.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set holds no usable RSA key")
	}
	return keys, nil
}
