package process

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"
)

// Intercepting tells whether connect(2) can be intercepted here: nil, or the
// reason why not, wrapping ErrNoInterceptor. It is really tried, once.
func Intercepting() error { return tried() }

var tried = sync.OnceValue(func() error {
	result := make(chan error, 1)
	onOwnThread(func() { result <- tryIntercept() })
	if err := <-result; err != nil {
		return fmt.Errorf("%w: %w", ErrNoInterceptor, err)
	}
	return nil
})

// tryIntercept lets the calling thread, which ends afterwards, play a service.
func tryIntercept() error {
	const unlikely = unix.EXFULL // no connect fails with it by itself
	target := netip.MustParseAddrPort("127.0.0.1:9")
	var met []netip.AddrPort
	tap, err := intercept(func(a Attempt) Answer {
		met = append(met, a.Target)
		return Answer{Errno: unlikely}
	}, false)
	if err != nil {
		return err
	}
	err = connectOnce(target)
	childErr := readChild()
	closeErr := tap.close() // the goroutine that decided has ended with it
	if err := tap.counted().Err; err != nil {
		return err
	}
	if !errors.Is(err, unlikely) || len(met) != 1 || met[0] != target {
		return fmt.Errorf("a trial connect to %v gave %w and was seen as %v", target, err, met)
	}
	return errors.Join(childErr, closeErr)
}

func connectOnce(target netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.Connect(fd, &unix.SockaddrInet4{Addr: target.Addr().As4(), Port: int(target.Port())})
}

// readChild checks that the memory of a child may be read: some systems let a
// process look into itself only.
func readChild() error {
	sh, err := exec.LookPath("sh")
	if err != nil {
		return nil // no child to try with; the connect above has to do
	}
	in, hold, err := os.Pipe()
	if err != nil {
		return err
	}
	defer closeAll(in, hold)
	hear, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer closeAll(hear, out)
	child, err := os.StartProcess(sh, []string{sh, "-c", "echo; read line"}, &os.ProcAttr{Files: []*os.File{in, out, nil}, Sys: attributes(nil)})
	if err != nil {
		return nil // no such program after all
	}
	starts.add(child.Pid)
	defer starts.remove(child.Pid)
	closeAll(out)
	// Until it speaks it may still be on its way from our memory to its own.
	_, err = hear.Read(make([]byte, 1))
	if err == nil {
		err = readStack(child.Pid)
	}
	_ = child.Kill()
	_, _ = child.Wait()
	return err
}

func readStack(pid int) error {
	s, err := readStat(pid)
	if err != nil {
		return err
	}
	if s.stack == 0 {
		return fmt.Errorf("the memory of child processes can't be read here (kernel.yama.ptrace_scope, or a sandbox): %w", unix.EPERM)
	}
	var word [8]byte
	return readMemory(pid, s.stack, word[:])
}
