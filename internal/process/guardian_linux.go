package process

import (
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	// cleaning is how long the guardian tries to kill what is left.
	cleaning = 30 * time.Second
	// deciding is how long it waits for processes to get an environment.
	deciding = 3 * time.Second
	// glance is the pause between two looks at them.
	glance = 5 * time.Millisecond
)

// group is a watched process group, told from a later one of the same number
// by its leader.
type group struct {
	pgid, sid int
	start     uint64
}

func holdStart(pid int) { starts.add(pid) }
func dropStart(pid int) { starts.remove(pid) }

// identify describes a group by its leader, who must carry the marker: if the
// leader is gone already its number says nothing.
func identify(pgid int, marker string) (group, bool) {
	if pgid <= 1 {
		return group{}, false
	}
	s, err := readStat(pgid)
	if err != nil || s.gone() || s.pgid != pgid {
		return group{}, false
	}
	if m, known := markerOf(pgid); known && m != marker {
		return group{}, false
	}
	return group{pgid: pgid, sid: s.sid, start: s.start}, true
}

// killAll kills in rounds, since who is about to be killed may fork.
func (g *guardian) killAll() error {
	if len(g.watched) == 0 {
		return nil
	}
	self, err := readStat(os.Getpid())
	if err != nil {
		return fmt.Errorf("clean up after the runner: %w", err)
	}
	begun := time.Now()
	for empty := 0; empty < 2; {
		victims, undecided, err := g.victims(self)
		if err != nil {
			return fmt.Errorf("clean up after the runner: %w", err)
		}
		if len(victims) == 0 && undecided && time.Since(begun) < deciding {
			time.Sleep(glance) // nothing tells when an exec is done
			continue
		}
		if len(victims) == 0 {
			empty++
			continue
		}
		empty = 0
		if time.Since(begun) > cleaning {
			return fmt.Errorf("clean up after the runner: %d processes could not be killed, %d among them", len(victims), victims[0].pid)
		}
		kill(victims)
	}
	return nil
}

// victims finds who belongs to a watched marker or group. Nobody does who is
// older than the guardian, which was there first. undecided: somebody is there
// who can't be told yet.
func (g *guardian) victims(self procStat) (found []member, undecided bool, err error) {
	pids, err := allPIDs()
	if err != nil {
		return nil, false, err
	}
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil || s.gone() || pid == self.pid || s.start < self.start {
			continue
		}
		switch {
		case g.ofMarker(pid) || g.ofGroup(s):
			found = append(found, member{pid: pid, start: s.start})
		case executing(pid):
			undecided = true
		}
	}
	return found, undecided, nil
}

func (g *guardian) ofMarker(pid int) bool {
	marker, _ := markerOf(pid)
	_, ok := g.watched[marker]
	return ok && marker != ""
}

// ofGroup recognises a member without the marker. The number of a group stays
// taken while it has members, so it can only be another group if this one
// became empty meanwhile; that one would have another leader, or be in another
// session, or be older.
func (g *guardian) ofGroup(s procStat) bool {
	for _, groups := range g.watched {
		if slices.ContainsFunc(groups, func(w group) bool { return w.has(s) }) {
			return true
		}
	}
	return false
}

func (w group) has(s procStat) bool {
	if s.pgid != w.pgid || s.sid != w.sid || s.start < w.start {
		return false
	}
	leader, err := readStat(w.pgid)
	return err != nil || leader.start == w.start
}
