package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// guardian is what RunGuard knows.
type guardian struct {
	watched map[string][]group // by marker
	folders []string
}

// RunGuard is the main function of the guardian: it reads the orders of a
// Guard from in. When they end without Close having been called, the runner
// was killed: RunGuard kills every process that belongs to a watched marker or
// group until none is left, removes the folders it was told of, and returns
// what it could not do.
func RunGuard(in io.Reader) error {
	// What is meant for the runner must not end the one who cleans up after
	// it. Nobody reads the channel, and nothing takes it back: a signal may
	// still be on its way when we are done.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	return standGuard(in)
}

// standGuard is RunGuard without the signals.
func standGuard(in io.Reader) error {
	g := &guardian{watched: map[string][]group{}}
	if g.listen(in) {
		return nil
	}
	return errors.Join(g.killAll(), g.removeAll())
}

// listen follows the orders and reports whether they ended properly. A last
// line that was cut off by the runner's death is no order.
func (g *guardian) listen(in io.Reader) bool {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return false
		}
		var o order
		if json.Unmarshal(line, &o) != nil {
			continue
		}
		if o.Done {
			return true
		}
		g.follow(o)
	}
}

func (g *guardian) follow(o order) {
	switch {
	case o.Watch != "":
		groups := g.watched[o.Watch]
		if known, ok := identify(o.Group, o.Watch); ok {
			groups = append(groups, known)
		}
		g.watched[o.Watch] = groups
	case o.Forget != "":
		delete(g.watched, o.Forget)
	case o.Folder != "":
		g.folders = append(g.folders, o.Folder)
	case o.Release != "":
		g.folders = slices.DeleteFunc(g.folders, func(have string) bool { return have == o.Release })
	}
}

// removeAll removes the folders, but never what a link points to.
func (g *guardian) removeAll() error {
	var errs []error
	for _, folder := range g.folders {
		if err := removable(folder); err != nil {
			errs = append(errs, fmt.Errorf("remove %s: %w", folder, err))
			continue
		}
		st, err := os.Lstat(folder)
		if err != nil || !st.IsDir() {
			continue // gone already, or not what we were told of
		}
		if err := os.RemoveAll(folder); err != nil {
			errs = append(errs, fmt.Errorf("remove what the killed runner left: %w", err))
		}
	}
	return errors.Join(errs...)
}
