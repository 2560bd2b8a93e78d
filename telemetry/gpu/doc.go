// Package gpu turns what GPU drivers and DCGM report into telemetry readings:
// it decodes fields and sentinels, prefers energy counters over power, and
// divides the energy of a GPU over its MIG instances, processes and pods.
//
// The package is pure Go and does no I/O. A Source observes the boards; the
// Meter makes zones and readings of what it saw. Sources live below: nvml
// calls the driver's library, dcgmexporter scrapes a dcgm-exporter, and the
// DCGM plugin uses the same Meter over DCGM itself.
//
// A board is one zone of the disjoint cover, keyed by its UUID. Drivers meter
// whole boards only, so a MIG instance is an overlapping zone whose register
// is a share of its board's energy; it is never summed with the board.
package gpu
