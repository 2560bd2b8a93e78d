// Package dcgmexporter observes GPUs by scraping a dcgm-exporter, for nodes
// where it runs already and DCGM must not be opened twice.
//
// Exporters print the power and the energy counter of the whole board on each
// MIG instance and on each pod that shares a board by time-slicing
// (NVIDIA/dcgm-exporter issues 257 and 353), so their series must not be
// summed. Here a board counts once, by its UUID; instances and pods only divide
// it. Old ("dcgm_power_usage", pod_name, Hostname) and new names ("hostname",
// DCGM 4.6 metric names) are read.
package dcgmexporter
