package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// parts are the services that the tests start; systemParts are more of them.
var parts = map[string]func([]string) int{
	"print":      playPrint,
	"exit":       playExit,
	"flood":      playFlood,
	"environ":    playEnviron,
	"dial":       playDial,
	"phases":     playPhases,
	"nophases":   playNotifyPhases,
	"udp-unix":   playUDPAndUnix,
	"stubborn":   playStubborn,
	"polite":     playPolite,
	"daemon":     playDaemon,
	"daemonized": playDaemonized,
	"threads":    playThreads,
	"grandchild": playGrandchild,
	"eat":        playEat,
	"hold":       playHold,
	"runner":     playRunner,
	"guardian":   playGuardian,
}

// playPrint writes its arguments as they are; "\n" in them is a newline.
func playPrint(args []string) int {
	for _, a := range args {
		fmt.Print(strings.ReplaceAll(a, `\n`, "\n"))
	}
	return 0
}

func playExit(args []string) int {
	code, _ := strconv.Atoi(args[0])
	return code
}

// playFlood writes so many MiB, in lines or in one.
func playFlood(args []string) int {
	mib, _ := strconv.Atoi(args[0])
	line := strings.Repeat("x", 127) + "\n"
	if args[1] == "one-line" {
		line = strings.Repeat("x", 128)
	}
	block := []byte(strings.Repeat(line, 1<<20/len(line)))
	for range mib {
		if _, err := os.Stdout.Write(block); err != nil {
			return 1
		}
	}
	return 0
}

func playEnviron(names []string) int {
	for _, name := range names {
		fmt.Printf("%s=%s\n", name, os.Getenv(name))
	}
	return 0
}

// playDial dials each network=address and tells what came of it.
func playDial(args []string) int {
	for _, a := range args {
		network, address, _ := strings.Cut(a, "=")
		d := net.Dialer{Timeout: long}
		c, err := d.Dial(network, address)
		if err != nil {
			var errno syscall.Errno
			errors.As(err, &errno)
			fmt.Println("error", unix.ErrnoName(errno))
			continue
		}
		greeting, _ := bufio.NewReader(c).ReadString('\n')
		fmt.Println("connected", strings.TrimSpace(greeting))
		_ = c.Close()
	}
	return 0
}

// playPhases prints a phase and at once connects, n times.
func playPhases(args []string) int {
	n, _ := strconv.Atoi(args[0])
	pin(args)
	for i := 1; i <= n; i++ {
		fmt.Printf("PHASE %d\n", i)
		c, err := net.Dial("tcp", args[1])
		if err == nil {
			_ = c.Close()
		}
	}
	return 0
}

// playNotifyPhases does the same by sd_notify.
func playNotifyPhases(args []string) int {
	n, _ := strconv.Atoi(args[0])
	address := os.Getenv("NOTIFY_SOCKET")
	s, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for i := 1; i <= n; i++ {
		_, _ = fmt.Fprintf(s, "STATUS=phase\nPHASE=%d", i)
		c, err := net.Dial("tcp", args[1])
		if err == nil {
			_ = c.Close()
		}
	}
	return 0
}

// pin keeps the process on one CPU if the third argument says so.
func pin(args []string) {
	if len(args) > 2 && args[2] == "pinned" {
		pinThreads()
	}
}

func playUDPAndUnix(args []string) int {
	u, err := net.Dial("udp", args[0])
	if err == nil {
		_, err = u.Write([]byte("x"))
		_ = u.Close()
	}
	fmt.Println("udp", err)
	c, err := net.Dial("unix", args[1])
	if err == nil {
		_ = c.Close()
	}
	fmt.Println("unix", err)
	return 0
}

// playStubborn ignores SIGTERM.
func playStubborn([]string) int {
	signal.Ignore(syscall.SIGTERM)
	fmt.Println("ready")
	select {}
}

// playPolite handles SIGTERM and exits with 7.
func playPolite([]string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("bye")
	return 7
}

// playDaemon starts a child in a session of its own, which keeps the output
// open, and exits (or waits, with an argument).
func playDaemon(args []string) int {
	cmd := again("daemonized")
	cmd.Stdout = os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 1
	}
	fmt.Println("child", cmd.Process.Pid)
	if len(args) > 0 {
		fmt.Println("ready")
		select {}
	}
	return 0
}

func playDaemonized([]string) int {
	signal.Ignore(syscall.SIGTERM)
	fmt.Println("daemon runs")
	select {}
}

// playThreads connects from many threads at once, and from a child.
func playThreads(args []string) int {
	n, _ := strconv.Atoi(args[0])
	results := make(chan string)
	for range n {
		go func() {
			_, err := net.Dial("tcp", args[1])
			results <- fmt.Sprint(err)
		}()
	}
	for range n {
		fmt.Println(<-results)
	}
	cmd := again("dial", "tcp="+args[1])
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		return 1
	}
	return 0
}

// playGrandchild starts a daemon by way of a child that exits at once.
func playGrandchild([]string) int {
	cmd := again("daemon")
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		return 1
	}
	fmt.Println("ready")
	select {}
}

// playEat uses so many MiB of memory, opens some sockets, and waits.
func playEat(args []string) int {
	mib, _ := strconv.Atoi(args[0])
	b := make([]byte, mib<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	c, err := net.Dial("tcp", args[1])
	if err != nil {
		return 1
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, c)
	_ = b[len(b)-1]
	return 0
}

// playHold connects, and prints what came of it and how often SIGTERM came.
func playHold(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, err := net.Dial("tcp", args[0])
		fmt.Println("dialled", err)
	}()
	fmt.Println("ready")
	<-ctx.Done()
	return 0
}

// again is this binary in another part.
func again(part string, args ...string) *exec.Cmd {
	self, _ := os.Executable()
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), playVariable+"="+part, raceExit)
	return cmd
}

// playGuardian is the guardian's main function.
func playGuardian([]string) int {
	if err := RunGuard(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// playRunner is a runner with a guardian and one service; it waits to be
// killed. Its first argument is a folder to remove.
func playRunner(args []string) int {
	self, _ := os.Executable()
	if err := os.Setenv(playVariable, "guardian"); err != nil {
		return 1
	}
	g, err := StartGuard([]string{self})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("guardian", g.cmd.Process.Pid)
	spec := part("daemon", "wait")
	spec.Marker = args[1]
	spec.Line = func(_ Stream, line string) { fmt.Println(line) }
	if err := errors.Join(g.Folder(args[0]), g.Watch(spec.Marker, 0)); err != nil {
		fmt.Println(err)
		return 1
	}
	p, err := Start(spec)
	if err == nil {
		err = g.Watch(spec.Marker, p.PID())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("main", p.PID())
	time.Sleep(long)
	return 1
}
