//go:build race || !linux

package proxy

import "syscall"

// receive reads once. The race detector learns from syscall.Read what happens before what; see receive_linux.go.
func receive(fd int, b []byte) (n int, err error) {
	for {
		if n, err = syscall.Read(fd, b); !interrupted(err) {
			return max(n, 0), err
		}
	}
}

// transmit writes what the kernel takes.
func transmit(fd int, b []byte) (n int, err error) {
	for {
		if n, err = syscall.Write(fd, b); !interrupted(err) {
			return max(n, 0), err
		}
	}
}
