//go:build race

package proxy

// slowdown is by how much the race detector makes tests longer, roughly.
const slowdown = 10
