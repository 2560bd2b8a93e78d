// Package workflow reads recorded workflows, finds their critical paths and
// replays them.
//
// A workflow is a directed acyclic graph of tasks with known run times. Replayed
// on workers that are always warm and always free, with transfers that take no
// time, it lasts exactly as long as its critical path, to the nanosecond: the
// replay goes forward by events, the path backward over the graph, and neither
// uses the other.
package workflow
