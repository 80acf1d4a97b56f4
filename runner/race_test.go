//go:build race

package runner_test

// slowdown is by how much the race detector makes tests longer, roughly.
const slowdown = 5
