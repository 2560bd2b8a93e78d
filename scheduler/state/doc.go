// Package state holds what the decision core knows of the world: an immutable
// fleet, immutable signals, and the occupancy that assumptions, confirmations
// and completions change.
//
// A Store is driven by one goroutine. View gives the core the live occupancy
// without copying; Freeze gives a copy that readers on other goroutines may
// keep. Everything is integer and ordered by identity, so the same events give
// the same state on every machine.
package state
