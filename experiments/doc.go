// Package experiments is the language: it loads an experiments.yaml strictly, validates it, and expands it to trials.
//
// Load -> Validate -> Expand. It is pure: it starts nothing, opens no socket and touches no file but the one it is asked to
// read. A mistake is answered with file:line:column, the offending line, what was expected and the nearest known name; all
// mistakes at once.
package experiments
