// Package lifecycle decides what happens to an instance between two uses: how
// long it is kept warm, where, in how many copies, when one is started ahead
// of demand, and when deferrable work should run.
//
// Policies are small deterministic state machines without clock, I/O or
// goroutine. Their history is kept per series, a stream of uses that share one
// history: a function in a replay that looks at whole minutes, a (function,
// concurrency level) pair in an event-driven core, where level j is in use
// while at least j invocations run. Two drivers call the same code, so a
// policy that is proven on a trace is the policy that runs.
//
// Everything is compared in one unit, grams: carbon plus seconds of service
// time at the rate Config.Rate.
package lifecycle
