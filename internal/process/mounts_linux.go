package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// resolvConf is where every resolver library looks for its nameservers.
const resolvConf = "/etc/resolv.conf"

// mountResolvConf gives the calling thread, which must be locked and must end
// afterwards, and what it starts from now on a mount namespace in which file
// lies over resolv.conf. The namespace is gone with the last process in it;
// nothing of it can be seen from outside.
func mountResolvConf(file string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace (root is needed, and a sandbox may forbid it): %w", err)
	}
	// What is mounted outside later still comes in, but nothing goes out.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("keep mounts from the rest of the machine: %w", err)
	}
	if err := unix.Mount(file, resolvConf, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s over %s: %w", file, resolvConf, err)
	}
	return nil
}

// OwnResolvConf tells whether a service can be given a resolv.conf of its own
// here: nil, or the reason why not, wrapping ErrNoResolvConf. It is really
// tried, once.
func OwnResolvConf() error { return triedResolvConf() }

var triedResolvConf = sync.OnceValue(func() error {
	result := make(chan error, 1)
	onOwnThread(func() { result <- tryResolvConf() })
	if err := <-result; err != nil {
		return fmt.Errorf("%w: %w", ErrNoResolvConf, err)
	}
	return nil
})

// tryResolvConf lets the calling thread, which ends afterwards, play a service.
func tryResolvConf() error {
	f, err := os.CreateTemp("", "chaos-resolv-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	want := []byte("# " + randomName() + "\n")
	_, err = f.Write(want)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := mountResolvConf(f.Name()); err != nil {
		return err
	}
	got, err := os.ReadFile(resolvConf)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New(resolvConf + " is still the system's after another one was mounted over it")
	}
	return err
}
