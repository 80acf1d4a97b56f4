package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/chaos-startup/chaos/faults"
)

// authorityFiles are the files of the test authority in the run's folder, written when one is first asked for.
type authorityFiles struct {
	dir   string
	names []string // whom the sound certificate is for

	once sync.Once
	err  error
}

// file returns the path of ${ca.NAME}.
func (a *authorityFiles) file(name string) (string, error) {
	switch name {
	case "file", "cert", "key":
	default:
		return "", fmt.Errorf("${ca.%s}: the test authority has ${ca.file}, ${ca.cert} and ${ca.key}", name)
	}
	a.once.Do(func() { a.err = a.write() })
	return a.path(name), a.err
}

func (a *authorityFiles) path(name string) string {
	base := map[string]string{"file": "ca.pem", "cert": "server.pem", "key": "server.key"}[name]
	return filepath.Join(a.dir, "authority", base)
}

func (a *authorityFiles) write() error {
	root, err := faults.CertificateAuthority()
	if err != nil {
		return err
	}
	chain, key, err := faults.ServerCertificate(a.names...)
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(a.dir, "authority"), 0o755); err != nil { // #nosec G301 -- services run as other users
		return fmt.Errorf("make a folder for the test authority: %w", err)
	}
	for _, f := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{{"file", root, 0o644}, {"cert", chain, 0o644}, {"key", key, 0o600}} {
		if err := os.WriteFile(a.path(f.name), f.data, f.mode); err != nil { // #nosec G306 -- the certificates are public
			return fmt.Errorf("write the test authority's files: %w", err)
		}
	}
	return nil
}
