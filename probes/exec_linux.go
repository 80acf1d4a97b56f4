package probes

import "syscall"

// ownGroup starts a process group and lets the kernel kill its leader if the prober dies first.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
