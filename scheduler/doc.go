// Package scheduler is the decision core: it filters candidates, measures
// them, weighs what was measured and chooses.
//
// The core performs no I/O, starts no goroutine, reads no clock and holds no
// global. It is given the time and a state, and answers with a decision that
// can be explained and replayed to the same bytes. The daemon and the
// simulator are two drivers of this one core.
package scheduler
