package faults

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"sync"
	"time"
)

// The test authority: made when it is first needed, once for each process. Its keys never leave the memory, so that a file that is left behind
// is of no use to anybody.
var theAuthority = sync.OnceValues(newAuthority)

// AuthorityName is the common name of the test authority's certificate.
const AuthorityName = "chaos test CA"

// CertificateAuthority returns the certificate of the test authority as PEM. A service that trusts it finds exactly one thing wrong with what tls
// presents to it.
func CertificateAuthority() ([]byte, error) {
	a, err := theAuthority()
	if err != nil {
		return nil, err
	}
	return pemOf("CERTIFICATE", a.root.Raw), nil
}

// ServerCertificate returns a sound certificate of the test authority for the names, which are host names or IP addresses, with its chain and its
// key as PEM: for a real dependency that the service must be able to verify while no fault is on.
func ServerCertificate(names ...string) (chain, key []byte, err error) {
	a, err := theAuthority()
	if err != nil {
		return nil, nil, err
	}
	c, err := a.issue(flawless, identityOf(names))
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the key of a server certificate: %w", err)
	}
	for _, raw := range c.Certificate {
		chain = append(chain, pemOf("CERTIFICATE", raw)...)
	}
	return chain, pemOf("PRIVATE KEY", der), nil
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// defect is the one thing that is wrong with a certificate.
type defect string

// The defects, by their names in a file.
const (
	flawless            defect = ""
	expired             defect = "expired"
	notYetValid         defect = "not_yet_valid"
	wrongName           defect = "wrong_name"
	unknownCA           defect = "unknown_ca"
	selfSigned          defect = "self_signed"
	missingIntermediate defect = "missing_intermediate"
	commonNameOnly      defect = "common_name_only"
	wrongUsage          defect = "wrong_usage"
)

// authority is a root that a service may trust, an intermediate of it that signs, and a root of the same name that nobody trusts.
type authority struct {
	root, intermediate, stranger signer
	key                          *ecdsa.PrivateKey // of every server certificate
}

// signer is a certificate that may sign others, with its key.
type signer struct {
	*x509.Certificate
	key crypto.Signer
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

func newAuthority() (*authority, error) {
	a := &authority{}
	var err error
	if a.key, err = newKey(); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		to     *signer
		by     *signer
		name   string
		levels int
	}{{&a.root, &a.root, AuthorityName, 1}, {&a.intermediate, &a.root, "chaos test intermediate CA", 0}, {&a.stranger, &a.stranger, "chaos unknown CA", 1}} {
		if *s.to, err = newSigner(s.name, s.levels, s.by); err != nil {
			return nil, fmt.Errorf("make %s: %w", s.name, err)
		}
	}
	return a, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// newSigner makes a CA certificate. One that is to sign itself has no certificate yet.
func newSigner(name string, levels int, by *signer) (signer, error) {
	key, err := newKey()
	if err != nil {
		return signer{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-2 * year), NotAfter: now.Add(10 * year),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: levels, MaxPathLenZero: levels == 0, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	parent := *by
	if parent.Certificate == nil {
		parent = signer{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.Certificate, key.Public(), parent.key)
	if err != nil {
		return signer{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	return signer{certificate, key}, err
}

// identity is whom a certificate is for.
type identity struct {
	common string
	names  []string
	ips    []net.IP
}

// most bounds the names that are taken over from a real certificate.
const mostNames = 100

// identityOf makes an identity of host names and addresses; what cannot stand in a certificate is left out.
func identityOf(names []string) identity {
	var i identity
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			i.ips = append(i.ips, ip)
		} else if n != "" && len(n) <= 253 && plainName(n) {
			i.names = append(i.names, n)
		}
	}
	if len(i.names) > 0 && len(i.names[0]) <= 64 { // the longest that X.520 allows
		i.common = i.names[0]
	}
	return i
}

func plainName(s string) bool {
	for _, b := range []byte(s) {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return true
}

// likeness is the identity of the server that the service asked for by name, which shows itself with the certificate real; "" and nil: unknown.
// A service that connects to an address sends no name: then what the real certificate is for is right for ours.
func likeness(name string, real *x509.Certificate) identity {
	names := []string{name}
	if real != nil {
		names = append(names, real.DNSNames...)
		for _, ip := range real.IPAddresses {
			names = append(names, ip.String())
		}
	}
	names = append(names[:min(len(names), mostNames)], "localhost", "127.0.0.1", "::1")
	return identityOf(names)
}

// issue makes a server certificate that is wrong in exactly one way, with the chain that is sent with it.
func (a *authority) issue(d defect, who identity) (*tls.Certificate, error) {
	now := time.Now()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: who.common}, DNSNames: who.names, IPAddresses: who.ips, NotBefore: now.Add(-30 * day), NotAfter: now.Add(60 * day),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	by, chain := a.intermediate, [][]byte{a.intermediate.Raw}
	switch d {
	case expired: // by more than a clock can be wrong
		template.NotBefore, template.NotAfter = now.Add(-91*day), now.Add(-day)
	case notYetValid:
		template.NotBefore, template.NotAfter = now.Add(day), now.Add(91*day)
	case wrongName:
		template.Subject.CommonName, template.DNSNames, template.IPAddresses = otherName, []string{otherName}, nil
	case commonNameOnly:
		template.DNSNames, template.IPAddresses = nil, nil
	case wrongUsage:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case missingIntermediate:
		chain = nil
	case unknownCA:
		by, chain = a.stranger, [][]byte{a.stranger.Raw}
	case selfSigned:
		by, chain = signer{template, a.key}, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, a.key.Public(), by.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %q: %w", who.common, err)
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: a.key}, nil
}

// otherName is the host that the wrong certificate is for; .invalid can belong to nobody.
const otherName = "other.invalid"
