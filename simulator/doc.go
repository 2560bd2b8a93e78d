// Package simulator is the other driver of the decision core: an event queue,
// simulated time and a model of clusters around the very code that decides in
// production.
//
// A run is deterministic: the same configuration and seed give the same bytes
// on any processor and any number of workers. Memory grows with functions and
// live instances, never with invocations.
//
// Events of one instant are handled in this order: completions, epoch changes,
// arrivals (deferred ones first), pre-warms, expiries. So an instance that
// finishes at t serves an arrival at t, and one whose keep-alive ends at t
// still serves an arrival at t.
package simulator
