//go:build !linux

package main

func noExec(string) bool { return false }
