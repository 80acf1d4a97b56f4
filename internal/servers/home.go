package servers

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/chaos-startup/chaos/internal/process"
)

// home is the folder of an installed server and the user that it runs as.
type home struct {
	dir  string
	user *process.Credential // nil: as we do
	own  string              // a folder that is ours to remove, "" if none
}

// newHome makes a folder for a server below o.Dir, owned by the user it will run
// as: when we are root, the first of names that exists, else nobody; PostgreSQL
// refuses root and the others should.
func newHome(o Options, kind string, names ...string) (*home, error) {
	h := &home{}
	if os.Geteuid() == 0 {
		cred, name, err := lookupUser(append(names, "nobody"))
		if err != nil {
			return nil, err
		}
		h.user = cred
		return h, h.makeFor(o.Dir, kind, name)
	}
	h.dir = filepath.Join(o.Dir, kind)
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make its folder: %w", err)
	}
	return h, nil
}

// makeFor makes the folder where its user can enter it.
func (h *home) makeFor(dir, kind, name string) error {
	blocked, err := h.blockedBy(dir)
	if err != nil {
		return err
	}
	if blocked != "" {
		if h.own, err = os.MkdirTemp("", "chaos-"+kind+"-"); err != nil {
			return fmt.Errorf("make its folder: %w", err)
		}
		// The user needs to pass, not to list.
		err = os.Chmod(h.own, 0o711) // #nosec G302 -- a folder
		if err != nil {
			return errors.Join(err, h.remove())
		}
		if still, err := h.blockedBy(h.own); err != nil || still != "" {
			return errors.Join(err, fmt.Errorf("user %s may not enter %s: make it passable (chmod o+x), set TMPDIR to a folder that is, or do not run as root", name, still), h.remove())
		}
		dir = h.own
	}
	h.dir = filepath.Join(dir, kind)
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return errors.Join(fmt.Errorf("make its folder: %w", err), h.remove())
	}
	if err := os.Chown(h.dir, int(h.user.UID), int(h.user.GID)); err != nil {
		return errors.Join(fmt.Errorf("give its folder to user %s: %w", name, err), h.remove())
	}
	return nil
}

// blockedBy is the first folder on the way to dir that the user may not pass.
func (h *home) blockedBy(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		st, err := os.Stat(dir)
		if err != nil {
			return "", fmt.Errorf("its folder: %w", err)
		}
		mode := st.Mode().Perm()
		owner, ok := st.Sys().(*syscall.Stat_t)
		mine := ok && owner.Uid == h.user.UID && mode&0o100 != 0
		if mode&0o001 == 0 && !mine {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", nil
	}
}

// give hands a file in the home to the server's user.
func (h *home) give(path string) error {
	if h.user == nil {
		return nil
	}
	return os.Chown(path, int(h.user.UID), int(h.user.GID))
}

// write makes a file in the home.
func (h *home) write(name, content string) (string, error) {
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return "", err
	}
	return path, h.give(path)
}

// remove removes what the caller of Start does not know of.
func (h *home) remove() error {
	if h.own == "" {
		return nil
	}
	return os.RemoveAll(h.own)
}

func lookupUser(names []string) (*process.Credential, string, error) {
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return &process.Credential{UID: uint32(uid), GID: uint32(gid)}, name, nil
		}
	}
	return nil, "", fmt.Errorf("no unprivileged user among %v: make one, or do not run as root", names)
}
