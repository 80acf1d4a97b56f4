package process

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// decidingOrphans is how long an orphan may take to get an environment, so that
// it can be told whose it is.
const decidingOrphans = time.Second

// member is one process of a family, alive when it was seen.
type member struct {
	pid   int
	start uint64
	group bool // in the process group of the service
}

// family is the service's main process and everything that comes from it.
//
// The runner is the reaper of orphans, so the whole family hangs below the
// runner: below the main process, or, orphaned, as children of the runner.
// Among these it is told by its group, by its marker, or because it had been
// seen before.
type family struct {
	main   int
	marker string

	mu       sync.Mutex
	mainDone bool
	noGroup  int // how often nobody was found in the group after the main process
	known    map[int]uint64
	// undecided: an orphan was there at the last look who could not be told
	// yet, as it was executing its program.
	undecided bool
}

func newFamily(main int, marker string) *family {
	starts.add(main)
	return &family{main: main, marker: marker, known: map[int]uint64{}}
}

// mainGone tells that the main process has been collected.
func (f *family) mainGone() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mainDone = true
	starts.remove(f.main)
}

// learn looks for members other than the main process, remembers them, and
// collects those that have ended and are nobody else's to wait for.
func (f *family) learn() []member {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := newTree()
	var found []member
	inGroup := false
	f.undecided = false
	roots := t.children(unix.Getpid())
	if !f.mainDone {
		found = f.descend(t, f.main, found)
	}
	for _, pid := range roots {
		if starts.has(pid) {
			continue
		}
		s, err := readStat(pid)
		if err != nil {
			continue
		}
		if s.gone() {
			f.collect(s)
			continue
		}
		if !f.mine(s) {
			f.undecided = f.undecided || executing(pid)
			continue
		}
		inGroup = inGroup || s.pgid == f.main
		found = f.descend(t, pid, f.add(s, found))
	}
	for _, m := range found {
		inGroup = inGroup || m.group
	}
	if f.mainDone && !inGroup {
		f.noGroup++
	}
	return found
}

// descend adds everything below pid.
func (f *family) descend(t *tree, pid int, found []member) []member {
	for _, child := range t.children(pid) {
		s, err := readStat(child)
		if err != nil || s.gone() {
			continue
		}
		found = f.descend(t, child, f.add(s, found))
	}
	return found
}

// groupFree reports that the number of the group may belong to others by now.
// One look can miss somebody, so it takes two.
func (f *family) groupFree() bool { return f.noGroup >= 2 }

func (f *family) add(s procStat, found []member) []member {
	f.known[s.pid] = s.start
	return append(found, member{pid: s.pid, start: s.start, group: s.pgid == f.main})
}

// mine tells whether a child of the runner is an orphan of this family.
func (f *family) mine(s procStat) bool {
	if start, ok := f.known[s.pid]; ok && start == s.start {
		return true
	}
	if s.pgid == f.main && !f.groupFree() {
		return true
	}
	marker, _ := markerOf(s.pid)
	return marker == f.marker
}

// collect reaps a zombie child of the runner, but only one that nobody else
// waits for: an orphan.
func (f *family) collect(s procStat) {
	start, known := f.known[s.pid]
	switch {
	case known && start == s.start,
		s.pgid == f.main && f.mainDone && !f.groupFree():
		delete(f.known, s.pid)
		reap(s.pid)
	default:
		strays.meet(s)
	}
}

// end kills every member and collects them, until none is found twice in a
// row. settle is how long they may take to end by themselves first. What had
// to be killed is returned; the error says what could not be.
func (f *family) end(settle, limit time.Duration) ([]Survivor, error) {
	var survivors []Survivor
	seen := map[member]bool{}
	begun := time.Now()
	for empty := 0; empty < 2; {
		members := f.learn()
		if len(members) == 0 && f.doubtful() && time.Since(begun) < decidingOrphans {
			time.Sleep(glance) // nothing tells when an exec is done
			continue
		}
		if len(members) == 0 {
			empty++
			continue
		}
		empty = 0
		if settle > 0 {
			watch(members, settle)
			settle = 0
			continue
		}
		for _, m := range members {
			if !seen[m] {
				seen[m] = true
				survivors = append(survivors, Survivor{PID: m.pid, Cmdline: cmdline(m.pid)})
			}
		}
		if time.Since(begun) > limit {
			return survivors, fmt.Errorf("end the service: %d processes could not be killed (%v)", len(members), survivors)
		}
		kill(members)
	}
	return survivors, nil
}

func (f *family) doubtful() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.undecided
}

// kill kills the members and waits a little for their end.
func kill(members []member) {
	handles := openAll(members)
	for _, h := range handles {
		_ = h.kill() // gone already, or found again in the next round
	}
	waitGone(handles, time.Second)
	closeHandles(handles)
}

// watch gives the members time to end by themselves.
func watch(members []member, limit time.Duration) {
	handles := openAll(members)
	waitGone(handles, limit)
	closeHandles(handles)
}

func openAll(members []member) []handle {
	var handles []handle
	for _, m := range members {
		if h, err := openHandle(m.pid, m.start); err == nil {
			handles = append(handles, h)
		}
	}
	return handles
}

func closeHandles(handles []handle) {
	for _, h := range handles {
		h.close()
	}
}

// reap collects one zombie child.
func reap(pid int) {
	for {
		_, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
