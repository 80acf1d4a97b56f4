package process

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

var systemParts = map[string]func([]string) int{
	"intercept": playIntercept,
	"socket":    playSocket,
	"again":     playAgain,
	"signalled": playSignalled,
}

// pinThreads keeps all threads of the process on one CPU.
func pinThreads() {
	var set unix.CPUSet
	set.Set(firstCPU())
	tids, _ := numericNames("/proc/self/task")
	for _, tid := range tids {
		_ = unix.SchedSetaffinity(tid, &set)
	}
	runtime.GOMAXPROCS(1)
}

func firstCPU() int {
	var set unix.CPUSet
	_ = unix.SchedGetaffinity(0, &set)
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			return cpu
		}
	}
	return 0
}

// playIntercept is a whole runner with an interceptor in an unprivileged
// process; it exits 0 if a service got the errno it was to get.
func playIntercept([]string) int {
	if err := Intercepting(); err != nil {
		fmt.Println(err)
		return 1
	}
	spec := part("dial", "tcp=127.0.0.1:9")
	spec.Line = func(_ Stream, line string) { fmt.Println(line) }
	spec.Decide = func(Attempt) Answer { return Answer{Errno: unix.EHOSTUNREACH} }
	p, err := Start(spec)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	<-p.Done()
	fmt.Println("uid", os.Getuid(), "decided", p.Intercepted().Decided, p.Intercepted().Err)
	if err := p.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// playSocket makes raw connects with one sockaddr of the given family, that
// libraries never make: v6-only sockets, v4-mapped addresses.
func playSocket(args []string) int {
	to := netip.MustParseAddrPort(args[1])
	var fd int
	var err error
	var sa unix.Sockaddr
	kind := unix.SOCK_STREAM
	if len(args) > 2 { // a datagram socket, which must speak first
		kind = unix.SOCK_DGRAM
	}
	switch args[0] {
	case "v4":
		fd, err = unix.Socket(unix.AF_INET, kind, 0)
		sa = &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	default:
		fd, err = unix.Socket(unix.AF_INET6, kind, 0)
		sa = &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if args[0] == "v6only" {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err := unix.Connect(fd, sa); err != nil {
		fmt.Println("error", unix.ErrnoName(err.(unix.Errno)))
		return 0
	}
	if kind == unix.SOCK_DGRAM {
		_, _ = unix.Write(fd, []byte("hello"))
	}
	b := make([]byte, 64)
	n, _ := unix.Read(fd, b)
	fmt.Print("connected ", string(b[:n]))
	return 0
}

// playAgain calls connect again and again on one non-blocking socket, as some
// programs do to learn whether it is connected, and prints the last answer.
func playAgain(args []string) int {
	to := netip.MustParseAddrPort(args[0])
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 1
	}
	calls := 0
	for {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
		calls++
		if errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.EALREADY) || err == nil && calls < 2 {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			_, _ = unix.Poll(fds, int(time.Second.Milliseconds()))
			continue
		}
		break
	}
	name := "nil"
	if errno, ok := err.(unix.Errno); ok {
		name = unix.ErrnoName(errno)
	}
	fmt.Println("calls "+strconv.FormatBool(calls > 1), name)
	return 0
}
