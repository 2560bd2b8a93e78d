// Package cgroup reads how much processor time and memory each container, or
// each cgroup that a pattern names, has used.
//
// The kernel keeps processor time in cpu.stat of every cgroup, dead children
// included (Linux Documentation/admin-guide/cgroup-v2.rst, "cpu.stat"), and it
// does so on cgroup v2 even where the cpu controller is not enabled. A Tree
// keeps these files open and re-reads them in place, which costs one system
// call and no allocation per cgroup.
//
// Work that ends between two reads is not lost. A cgroup that empties is read
// at once (the kernel notifies cgroup.events), because a descriptor of a removed
// cgroup answers "no such device". What a removed cgroup used after its last
// read is still in the counters of its parent: the parent minus all its
// children is reported as the remainder of that slice.
//
// Hierarchies: unified (v2), hybrid (v2 at <root>/unified beside v1) and v1
// (cpuacct.usage). One cgroup that cannot be read never hides the others.
package cgroup
