//go:build !race

package proxy

const slowdown = 1
