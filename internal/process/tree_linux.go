package process

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tree answers who is whose child, for one moment.
type tree struct {
	all map[int][]int // filled when the kernel has no children files
}

func newTree() *tree {
	if kernelListsChildren() {
		return &tree{}
	}
	return wholeTree()
}

// wholeTree looks at every process there is, for kernels without children
// files.
func wholeTree() *tree {
	t := &tree{all: map[int][]int{}}
	pids, _ := allPIDs()
	for _, pid := range pids {
		if s, err := readStat(pid); err == nil {
			t.all[s.ppid] = append(t.all[s.ppid], pid)
		}
	}
	return t
}

// children lists the children of a process, zombies too.
func (t *tree) children(pid int) []int {
	if t.all != nil {
		return t.all[pid]
	}
	children, err := childrenOf(pid)
	if err != nil {
		return nil // it has ended since; its children are now somebody else's
	}
	slices.Sort(children)
	return slices.Compact(children)
}

// kernelListsChildren reports CONFIG_PROC_CHILDREN.
var kernelListsChildren = sync.OnceValue(func() bool {
	_, err := childrenOf(unix.Getpid())
	return err == nil
})

// starts are the children this package has started itself and will wait for:
// nobody may collect them as orphans.
var starts = &pidSet{pids: map[int]struct{}{}}

type pidSet struct {
	mu   sync.Mutex
	pids map[int]struct{}
}

func (s *pidSet) add(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pids[pid] = struct{}{}
}

func (s *pidSet) remove(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pids, pid)
}

func (s *pidSet) has(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.pids[pid]
	return ok
}

// strays are zombie children of the runner of unknown origin.
var strays = &strayList{seen: map[int]stray{}}

type strayList struct {
	mu   sync.Mutex
	seen map[int]stray
}

type stray struct {
	start uint64
	since time.Time
}

// patience is how long a zombie stays before nobody can be said to be waiting
// for it: whoever runs a command waits for it at once.
const patience = time.Second

// meet collects a zombie when it is certainly an orphan: its session is
// neither the runner's nor its own, so the runner has not started it. One
// that a part of the runner might have started is only collected when it is
// still there much later. A plain child in the runner's own group is left
// alone.
func (l *strayList) meet(s procStat) {
	sid, _ := unix.Getsid(0)
	if s.sid != sid && s.sid != s.pid {
		reap(s.pid)
		return
	}
	if s.sid == sid && s.pgid == unix.Getpgrp() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before, ok := l.seen[s.pid]
	switch {
	case !ok || before.start != s.start:
		l.seen[s.pid] = stray{start: s.start, since: time.Now()}
	case time.Since(before.since) > patience:
		delete(l.seen, s.pid)
		reap(s.pid)
	}
}
