package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// calledAs is what the user types to start this program again: "chaos" where it was found in PATH, its path where that was
// typed, and `go run ...` where the Go tool made it for this one time. The file of `go run` is gone afterwards.
func calledAs(self, argv0 string) string {
	if strings.Contains(filepath.ToSlash(self), "/go-build") {
		return "go run " + goPackage()
	}
	if strings.ContainsRune(argv0, filepath.Separator) {
		return shellQuote(argv0)
	}
	return "chaos"
}

// goPackage names this program for the Go tool: by folder in its own source tree, else by import path.
func goPackage() string {
	if info, err := os.Stat(filepath.Join("cmd", "chaos", "main.go")); err == nil && info.Mode().IsRegular() {
		return "./cmd/chaos"
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "" && info.Path != "command-line-arguments" {
		return info.Path
	}
	return "github.com/chaos-startup/chaos/cmd/chaos"
}
