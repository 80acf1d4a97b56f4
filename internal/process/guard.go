package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// order is one line of what the runner tells its guardian, as JSON.
type order struct {
	Watch   string `json:"watch,omitempty"`   // a marker
	Group   int    `json:"group,omitempty"`   // with Watch: a process group
	Forget  string `json:"forget,omitempty"`  // a marker
	Folder  string `json:"folder,omitempty"`  // to remove
	Release string `json:"release,omitempty"` // a folder to leave alone after all
	Done    bool   `json:"done,omitempty"`    // nothing is left to do
}

// Guard is the runner's side of the guardian: a process in a session of its
// own that cleans up if the runner is killed. The parent-death signal ends the
// services themselves; the guardian finds their children, too, and removes the
// folders.
type Guard struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of the guardian; valid once exited is closed

	mu     sync.Mutex
	pipe   *os.File // nil once closed
	orders *json.Encoder
}

// StartGuard starts the guardian. argv is a command that calls RunGuard with
// its standard input, usually the runner's own executable and a verb.
func StartGuard(argv []string) (*Guard, error) {
	if len(argv) == 0 {
		return nil, errors.New("start the guardian: the command is empty")
	}
	path, err := exec.LookPath(argv[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("start the guardian: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the guardian: %w", err)
	}
	cmd := &exec.Cmd{
		Path: path, Args: argv, Dir: "/", Stdin: r, Stderr: os.Stderr, Env: withoutMarker(os.Environ()),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	closeAll(r)
	if err != nil {
		closeAll(w)
		return nil, fmt.Errorf("start the guardian: %w", err)
	}
	holdStart(cmd.Process.Pid)
	g := &Guard{cmd: cmd, exited: make(chan struct{}), pipe: w, orders: json.NewEncoder(w)}
	go func() {
		defer close(g.exited)
		defer dropStart(cmd.Process.Pid)
		g.err = cmd.Wait()
	}()
	return g, nil
}

// withoutMarker keeps a guardian from being taken for a part of the service
// that an outer runner tests.
func withoutMarker(env []string) []string {
	var out []string
	for _, entry := range env {
		if !strings.HasPrefix(entry, MarkerVariable+"=") {
			out = append(out, entry)
		}
	}
	return out
}

// Watch has every process that carries the marker, and the process group pgid
// (0 for none), killed if the runner dies. Call it with the marker alone
// before the service starts, so that there is no gap, and with the group after.
func (g *Guard) Watch(marker string, pgid int) error {
	if marker == "" || pgid < 0 || pgid == 1 {
		return fmt.Errorf("guard group %d of %q: a marker and a group of its own are needed", pgid, marker)
	}
	return g.send(order{Watch: marker, Group: pgid})
}

// Forget takes back every Watch of the marker, once its processes are gone.
func (g *Guard) Forget(marker string) { _ = g.send(order{Forget: marker}) }

// Folder has a folder removed, with everything in it, if the runner dies.
func (g *Guard) Folder(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("guard folder %s: %w", path, err)
	}
	if err := removable(abs); err != nil {
		return fmt.Errorf("guard folder %s: %w", path, err)
	}
	return g.send(order{Folder: abs})
}

// Release takes back Folder, when the folder has been removed or is to stay.
func (g *Guard) Release(path string) {
	if abs, err := filepath.Abs(path); err == nil {
		_ = g.send(order{Release: abs})
	}
}

func (g *Guard) send(o order) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pipe == nil {
		return errors.New("tell the guardian: it has been closed")
	}
	if err := g.orders.Encode(o); err != nil {
		return fmt.Errorf("tell the guardian (it has ended early; what the runner leaves behind if it is killed stays): %w", err)
	}
	return nil
}

// Close tells the guardian that there is nothing left to do, and waits for its
// end. It may be called more than once.
func (g *Guard) Close() error {
	err := g.send(order{Done: true})
	g.mu.Lock()
	if g.pipe == nil {
		g.mu.Unlock()
		<-g.exited
		return nil
	}
	closeAll(g.pipe)
	g.pipe = nil
	g.mu.Unlock()
	limit := time.NewTimer(5 * time.Second)
	defer limit.Stop()
	select {
	case <-g.exited:
	case <-limit.C:
		_ = g.cmd.Process.Kill()
		<-g.exited
	}
	if g.err != nil {
		err = errors.Join(err, fmt.Errorf("the guardian failed: %w", g.err))
	}
	return err
}

// removable refuses what nobody can have meant.
func removable(path string) error {
	clean := filepath.Clean(path)
	if !filepath.IsAbs(clean) || filepath.Dir(clean) == string(filepath.Separator) {
		return errors.New("refused: not an absolute path below a top-level folder")
	}
	if home, err := os.UserHomeDir(); err == nil && filepath.Clean(home) == clean {
		return errors.New("refused: it is the home folder")
	}
	return nil
}
