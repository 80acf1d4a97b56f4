package probes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
)

// trustKey is the key of the certificates that an attempt trusts, in its context.
type trustKey struct{}

// trusting makes an attempt trust the certificates in a file besides those of the system. The file is read in every attempt: a service may
// make its own when it starts.
func trusting(p Probe, file, dir string) Probe {
	return func(ctx context.Context) (Answer, error) {
		path := file
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		text, err := os.ReadFile(path) // #nosec G304 -- the file's author names it
		if err != nil {
			return Answer{}, expected("ca", "certificates in "+file, short(innermostPath(err).Error()))
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(text) {
			return Answer{}, expected("ca", "certificates in "+file+" in PEM", "none")
		}
		return p(context.WithValue(ctx, trustKey{}, pool))
	}
}

// tlsConfig is how an attempt speaks TLS with a server.
func tlsConfig(ctx context.Context, server string) *tls.Config {
	pool, _ := ctx.Value(trustKey{}).(*x509.CertPool) // nil: the system's
	return &tls.Config{ServerName: server, RootCAs: pool, MinVersion: tls.VersionTLS12}
}
