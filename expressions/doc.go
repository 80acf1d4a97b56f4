// Package expressions checks and evaluates expressions in CEL over what was seen of one trial.
//
// The vocabulary (variables, functions, fields with type, unit and meaning) is declared once, in Vocabulary; the checker, the values and
// docs/expr.md are made from it. It knows no verdicts and reads no timeline: whoever judges fills a Record and asks.
package expressions
