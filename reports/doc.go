// Package reports holds the report of a run (schema chaos.report/v1) and writes it: as JSON, which every other output is made
// from, as text for people and as JUnit XML for CI. One file per format.
//
// It runs nothing and decides nothing by itself: verdicts come from contracts, which is asked again from the timelines whenever
// Judge is called. A format never changes a report.
package reports
