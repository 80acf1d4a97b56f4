package runner

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The files are there when they are asked for, and not before; what they hold fits together.
func TestAuthorityFiles(t *testing.T) {
	dir := t.TempDir()
	a := &authorityFiles{dir: dir, names: []string{"auth", "127.0.0.1"}}
	_, err := a.file("secret")
	require.EqualError(t, err, "${ca.secret}: the test authority has ${ca.file}, ${ca.cert} and ${ca.key}")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "nobody has asked for a file")

	var asking sync.WaitGroup // trials run side by side
	for range 8 {
		asking.Go(func() {
			_, err := a.file("file")
			assert.NoError(t, err)
		})
	}
	asking.Wait()
	path := func(name string) string {
		p, err := a.file(name)
		require.NoError(t, err)
		return p
	}
	root, err := os.ReadFile(path("file"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(root))
	pair, err := tls.LoadX509KeyPair(path("cert"), path("key"))
	require.NoError(t, err)
	require.Len(t, pair.Certificate, 2, "with the intermediate one")
	between, err := x509.ParseCertificate(pair.Certificate[1])
	require.NoError(t, err)
	chain := x509.NewCertPool()
	chain.AddCert(between)
	for _, name := range []string{"auth", "127.0.0.1"} {
		_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, Intermediates: chain})
		assert.NoError(t, err, name)
	}
	assert.Error(t, pair.Leaf.VerifyHostname("other"))

	for name, mode := range map[string]os.FileMode{"file": 0o644, "cert": 0o644, "key": 0o600} {
		st, err := os.Stat(path(name))
		require.NoError(t, err)
		assert.Equal(t, mode, st.Mode().Perm(), name)
		data, err := os.ReadFile(path(name))
		require.NoError(t, err)
		assert.Equal(t, name == "key", strings.HasPrefix(string(data), "-----BEGIN PRIVATE KEY-----"), name)
		assert.Equal(t, filepath.Join(dir, "authority"), filepath.Dir(path(name)))
	}
}
