// Package authserver is a small auth service: it signs tokens with a key made
// when it starts and publishes that key.
//
// It refuses to be a real one: whoever asks gets a token, expired on request.
package authserver

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Issuer is the iss of every token.
const Issuer = "smd-auth"

// New makes a key and returns the service: GET /.well-known/jwks.json,
// POST /token {"user": NAME, "expired": BOOL} -> {"token": JWT}, GET /healthz.
func New() (http.Handler, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the signing key: %w", err)
	}
	kid := fmt.Sprintf("key-%d", time.Now().UnixNano())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) { issue(w, r, key, kid) })
	return mux, nil
}

func issue(w http.ResponseWriter, r *http.Request, key *rsa.PrivateKey, kid string) {
	var ask struct {
		User    string `json:"user"`
		Expired bool   `json:"expired"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&ask); err != nil || ask.User == "" {
		reply(w, http.StatusBadRequest, map[string]string{"error": `expected {"user": NAME, "expired": BOOL}`})
		return
	}
	expiry := time.Now().Add(time.Hour)
	if ask.Expired {
		expiry = time.Now().Add(-time.Hour)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer: Issuer, Subject: ask.User, ExpiresAt: jwt.NewNumericDate(expiry),
		IssuedAt: jwt.NewNumericDate(expiry.Add(-time.Hour)),
	})
	token.Header["kid"] = kid
	signed, err := token.SignedString(key)
	if err != nil {
		reply(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	reply(w, http.StatusOK, map[string]string{"token": signed})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nothing to do
}
