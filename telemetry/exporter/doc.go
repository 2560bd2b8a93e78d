// Package exporter serves what the agent knows to Prometheus.
//
// The monitoring loop hands over a Snapshot per epoch; the exporter books it
// into series that never fall and renders each format at most once per epoch,
// so that a scrape is a copy of bytes. What is exported is a catalogue of
// families, from which docs/metrics.md is made too.
package exporter
