// Package attribution divides the energy that meters count among the
// containers that ran, and adds it up per function.
//
// The rule, for each zone of a meter and each interval:
//
//   - Idle energy, the idle power of the zone times the interval, goes to
//     containers by the share of the node that they reserve; what nobody
//     reserves is unallocated.
//   - The rest, dynamic energy, goes by processor time; that of memory by memory
//     held; that of a GPU by activity × compute slices.
//
// Energy is whole microjoules and is split by largest remainder (Hamilton's
// method, ties by key), so that at any time and for every component
//
//	metered = Σ functions + system + unallocated + held + pending
//
// holds exactly. Energy and use are read as a pair: a zone without a reading
// keeps the processor time of the interval for later, and energy without a
// reading of use waits for it. Neither half is spent alone.
package attribution
