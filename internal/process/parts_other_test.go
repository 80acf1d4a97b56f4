//go:build !linux

package process

var systemParts map[string]func([]string) int

func pinThreads() {}
