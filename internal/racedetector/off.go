//go:build !race

// Package racedetector tells tests whether they run under Go's race detector, so that they repeat themselves less often there.
package racedetector

// Enabled says whether this program was built with -race.
const Enabled = false

// Slowdown is by how much the race detector makes a test longer, roughly: tests divide their repetitions by it.
const Slowdown = 1
