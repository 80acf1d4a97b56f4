// Package runner runs a plan: dependencies up, proxies up, faults armed and dormant, launch, follow the phases, inject and
// lift, probe, stop, heal. It turns each trial into a timeline and lets contracts judge it.
//
// It decides nothing about a service: no verdict is made here. Whatever it cannot do is a harness error in the timeline, never
// the service's fault. Every fault is lifted, every process ended and every file removed on every way out, also after an interrupt.
package runner
