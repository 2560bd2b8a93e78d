// Package policies evaluates Rego policies for the scheduler: what is
// forbidden, what is wanted and at which exchange rates.
//
// A policy is a Rego package wattle.placement. Everything in it is optional:
//
//	deny contains {"code", "msg", "criterion", "limit", "actual"}  forbids one candidate and says why
//	score       integer, µg-equivalent, added to G for one candidate
//	limits      object: bounds that a candidate must keep
//	objective   object: the exchange rates of G
//	lifecycle   object: bounds on keep-alive, pre-warming and deferral
//
// It reads input.request (constant per function), input.params (one request's
// wishes), input.candidate (one placement; only deny and score may) and data.
// Every number is an integer in the unit that its name ends in: µs, µJ, µg,
// nUSD, ‰. InputSchema and OutputSchema are the reference. Rego judges ONE
// candidate; the core loops, ranks and breaks ties.
//
// # Speed and soundness
//
// OPA's interpreter takes tens of microseconds per candidate, so an Engine
// evaluates once per distinct set of values that an entry point can read. It
// learns those fields from the compiled modules: a reference to one field adds
// that field, a dynamic or whole-object reference (and hence an alias such as
// c := input.candidate) adds every field below it. The cache key is exactly
// those values together with the content of the data that is read. A policy
// that reads more is slower, never wrong. The input given to OPA holds the same
// fields and no others.
//
// # Never an outage
//
// Builtins that are not deterministic do not exist here, and tenants get an
// allow list. Evaluation has a deadline per batch. Where it fails, the last good result
// of the class serves, else the built-in default; Stats counts it and one log
// line per class says it. Failed evaluations are tried again at the 2nd, 4th,
// 8th … use.
//
// # Data
//
// data.params holds a policy's parameters (Config.Data). A driver may put
// values that change per epoch over it with Engine.SetData, for example
// ClockData. Results are kept per content of the data that a policy reads, so a
// new epoch costs nothing to a policy that does not look at what changed.
package policies
