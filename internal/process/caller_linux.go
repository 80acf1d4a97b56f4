package process

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
)

// connectCall is one connect(2), as its caller made it.
type connectCall struct {
	pid     int // of the process
	tid     int // of the thread
	fd      int
	network string // tcp or udp
	pointer uintptr
	address sockaddr
	target  netip.AddrPort
}

// maxRemembered bounds the memory of each table of callers; a service that
// exceeds it costs a little accuracy of labels, not memory.
const maxRemembered = 4096

// callers looks into the processes that connect.
type callers struct {
	datagrams bool // UDP sockets are ours too

	mu        sync.Mutex
	processes map[int]int           // the process of each thread
	rewritten map[place]replacement // what redirect has written where
}

type place struct {
	pid     int
	pointer uintptr
}

type replacement struct{ now, was netip.AddrPort }

func newCallers(datagrams bool) *callers {
	return &callers{datagrams: datagrams, processes: map[int]int{}, rewritten: map[place]replacement{}}
}

// examine reads what a caller asked for, and whether it is anything for
// Decide. What it returns only counts if the caller is still there afterwards.
func (c *callers) examine(n notification) (call connectCall, ours bool, err error) {
	tid := int(n.pid)
	if tid == 0 {
		return call, false, errors.New("the caller lives in a pid namespace that can't be seen from here")
	}
	fd, pointer, length, err := arguments(n)
	if err != nil {
		return call, false, err
	}
	call = connectCall{tid: tid, fd: fd, pointer: pointer}
	call.address, err = readSockaddr(tid, pointer, length)
	if err != nil {
		return call, false, err
	}
	target, ok := call.address.target()
	if !ok {
		return call, false, nil
	}
	call.pid = c.process(tid)
	var begins bool
	if call.network, begins = c.connecting(call); !begins {
		return call, false, nil
	}
	call.target = c.original(call, target)
	return call, true, nil
}

// arguments are those of connect(2), also when it came by socketcall(2).
func arguments(n notification) (fd int, pointer uintptr, length int, err error) {
	for _, a := range abis {
		if a.arch != n.arch || a.socketcall == 0 || uint32(n.nr) != a.socketcall { // #nosec G115 -- a number as the kernel gave it
			continue
		}
		var block [12]byte
		if err := readMemory(int(n.pid), uintptr(n.args[1]), block[:]); err != nil {
			return 0, 0, 0, err
		}
		word := func(i int) uint32 { return binary.NativeEndian.Uint32(block[4*i:]) }
		return int(int32(word(0))), uintptr(word(1)), int(int32(word(2))), nil // #nosec G115 -- C ints
	}
	return int(int32(n.args[0])), uintptr(n.args[1]), int(int32(n.args[2])), nil // #nosec G115 -- C ints
}

// process is the process of a thread. A thread id that was reused costs a
// wrong label at worst.
func (c *callers) process(tid int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pid, ok := c.processes[tid]; ok {
		return pid
	}
	pid := tid
	if b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status"); err == nil { // #nosec G304 -- /proc
		for line := range bytes.Lines(b) {
			if rest, ok := bytes.CutPrefix(line, []byte("Tgid:")); ok {
				pid = number(bytes.TrimSpace(rest))
				break
			}
		}
	}
	if len(c.processes) >= maxRemembered {
		clear(c.processes)
	}
	c.processes[tid] = pid
	return pid
}

// original undoes a redirect: a program that keeps its sockaddr and tries
// again would otherwise seem to connect to our proxy.
func (c *callers) original(call connectCall, target netip.AddrPort) netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := place{call.pid, call.pointer}
	r, ok := c.rewritten[at]
	if !ok {
		return target
	}
	if r.now == target {
		return r.was
	}
	delete(c.rewritten, at)
	return target
}

// redirect rewrites the sockaddr in the caller's memory.
func (c *callers) redirect(call connectCall, to netip.AddrPort) error {
	changed, err := call.address.with(to)
	if err != nil {
		return fmt.Errorf("redirect %v to %v: %w", call.target, to, err)
	}
	if call.address.pureV6() && to.Addr().Unmap().Is4() {
		c.allowMapped(call)
	}
	if err := writeMemory(call.tid, call.pointer, changed); err != nil {
		return fmt.Errorf("redirect %v to %v: %w", call.target, to, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rewritten) >= maxRemembered {
		clear(c.rewritten)
	}
	now, _ := changed.target()
	c.rewritten[place{call.pid, call.pointer}] = replacement{now: now, was: call.target}
	return nil
}
