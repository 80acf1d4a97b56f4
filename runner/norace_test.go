//go:build !race

package runner_test

const slowdown = 1
