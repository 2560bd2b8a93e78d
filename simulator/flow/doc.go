// Package flow finds exact optima of placement and deferral under capacities,
// each with a certificate.
//
// [Transport] spreads jobs over a few clusters, [Network] is the general
// min-cost flow, [Deferral] puts deferrable jobs on slots. All go by successive
// shortest paths (Ahuja, Magnanti and Orlin, Network Flows, 1993, §9.7). Amounts
// are integers, so that optima are whole; costs are floating point, in any unit.
// Every answer comes with dual prices, and with the lower bound that follows
// from those prices alone: whoever doubts the search can check the bound.
package flow
