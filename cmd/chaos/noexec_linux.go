package main

import "golang.org/x/sys/unix"

// noExec says whether programs in dir can't be started because of how it is mounted.
func noExec(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Flags&unix.ST_NOEXEC != 0
}
