// Package e2e proves the instrument on real servers: whatever chaos claims to find is seeded into examples/smd and must be found,
// by the right rule, and the sound service must pass the same experiments. It has tests only, and refuses to be imported.
package e2e
