//go:build race

package racedetector

// Enabled says whether this program was built with -race.
const Enabled = true

// Slowdown is by how much the race detector makes a test longer, roughly: tests divide their repetitions by it.
const Slowdown = 10
