package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/chaos-startup/chaos/faults"
)

// checkAuthorityFile says why the certificate of the test authority can't be written to path: it replaces nothing but one of an earlier run.
func checkAuthorityFile(path string) error {
	if path == "" {
		return nil
	}
	if err := writable("--ca-file", path, "ca.pem"); err != nil {
		return err
	}
	old, err := os.ReadFile(path) // #nosec G304 -- the user names the file
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--ca-file %s: %w", path, err)
	case !isAuthority(old):
		return fmt.Errorf("--ca-file %s: the file is there, and it is not a test authority's: it would be replaced, and removed at the end; name another", path)
	}
	return nil
}

// isAuthority says whether text is what an earlier run left.
func isAuthority(text []byte) bool {
	block, rest := pem.Decode(text)
	if block == nil || len(rest) > 0 {
		return false
	}
	c, err := x509.ParseCertificate(block.Bytes)
	return err == nil && c.Subject.CommonName == faults.AuthorityName
}

// writeAuthority writes the certificate of the test authority. remove takes it away if nobody has changed it.
func writeAuthority(path string) (remove func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	text, err := faults.CertificateAuthority()
	if err == nil {
		err = os.WriteFile(path, text, 0o644) // #nosec G306 -- clients of other users read it
	}
	return func() error {
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) { // #nosec G304 -- the user names the file
			return nil
		}
		return os.Remove(path)
	}, err
}
