package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// Read appends what every charged cgroup and every slice above one has used.
// Without a running Run it first walks the tree, else it does so at most every
// Config.Rescan. It fails only when there is no hierarchy or not one cgroup can
// be read; a cgroup that fails alone keeps its last value and carries Err.
func (t *Tree) Read(now time.Time, dst []Usage) ([]Usage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.start(); err != nil {
		return dst, err
	}
	if !t.watching || now.Sub(t.walkedAt) >= t.cfg.Rescan || now.Before(t.walkedAt) {
		if err := t.walk(now); err != nil {
			return dst, err
		}
	}
	return t.readAll(now, dst)
}

func (t *Tree) readAll(now time.Time, dst []Usage) ([]Usage, error) {
	t.pass++
	t.collect()
	var failed error
	bad := 0
	for _, n := range t.nodes {
		if n.err = t.readNode(n, now); n.err != nil {
			bad, failed = bad+1, n.err
		}
		if !n.gone {
			dst = append(dst, t.report(n))
		}
	}
	dst = t.reportDeparted(dst)
	t.stats.Unreadable = bad
	if bad > 0 && bad == len(t.nodes) {
		return dst, fmt.Errorf("cgroup: none of %d cgroups can be read: %w", bad, failed)
	}
	return dst, nil
}

// reportDeparted makes the last report of removed cgroups and closes them. One
// that was reported already by this Read waits for the next.
func (t *Tree) reportDeparted(dst []Usage) []Usage {
	slices.SortFunc(t.departed, byDepth)
	for _, n := range slices.Backward(t.departed) { // what a slice passes on to its children is in their report
		if !n.charged {
			n.settle(nil)
		}
	}
	wait := t.departed[:0]
	for _, n := range t.departed {
		if n.told == t.pass {
			wait = append(wait, n)
			continue
		}
		dst = append(dst, t.report(n))
		n.cpu.close()
		n.mem.close()
	}
	clear(t.departed[len(wait):])
	t.departed = wait
	return dst
}

func (t *Tree) report(n *node) Usage {
	n.told = t.pass
	return n.usage()
}

// readNode brings the counters of n up to date. A cgroup found removed is
// retired here; its last value stands. A missing file in a directory that is
// still there is a failed read like any other.
func (t *Tree) readNode(n *node, now time.Time) error {
	err := t.readCPU(n)
	if err != nil && removed(err) && t.vanished(n) {
		err = nil
	}
	if err == nil && !n.gone {
		t.readMemory(n, now)
	}
	if !n.charged {
		n.settle(err)
	}
	return err
}

func (t *Tree) readCPU(n *node) error {
	if !n.opened {
		if n.gone {
			return nil
		}
		if err := t.open(n); err != nil {
			return err
		}
	}
	k, err := n.cpu.read(t.buf[:])
	if err != nil {
		return wrap(n, err)
	}
	v, err := t.h.parse(t.buf[:k])
	if err != nil {
		return wrap(n, err)
	}
	n.advance(v)
	return nil
}

// wrap names the cgroup of an error without hiding the cause.
func wrap(n *node, err error) error { return fmt.Errorf("cgroup %s: %w", n.key, err) }

func (t *Tree) open(n *node) error {
	d, err := openDescriptor(filepath.Join(t.path(n.key), t.h.cpuFile))
	if err != nil {
		return wrap(n, err)
	}
	n.cpu, n.opened = d, true
	if t.h.memRoot != "" {
		// No memory controller, or the root, which has no such file: unknown.
		n.mem, _ = openDescriptor(filepath.Join(t.h.memRoot, n.key, t.h.memFile))
	}
	return nil
}

// advance takes a raw counter. The base of a cgroup that appeared while the
// Tree was looking is 0: all it used is new. Any other starts at its first
// value. A slice starts so that its remainder is 0, because what its children
// count already must not be in it twice. A counter that went back (it does not
// on Linux) starts again rather than inventing time.
func (n *node) advance(v time.Duration) {
	switch {
	case !n.started && n.charged && n.fresh:
		n.base = 0
	case !n.started && n.charged:
		n.base = v
	case !n.started:
		n.base = v - n.accounted()
	case v < n.last:
		n.base -= n.last - v
	}
	n.started, n.last = true, v
}

// accounted is what the children of n account for, gone ones included.
func (n *node) accounted() time.Duration {
	sum := n.retired
	for _, c := range n.children {
		sum += c.claims()
	}
	return sum
}

// claims is what n takes out of its parent's remainder: what it counted, or for
// a slice that cannot be read at least what its children counted.
func (n *node) claims() time.Duration {
	d := time.Duration(0)
	if n.started {
		d = n.counted()
	}
	if !n.charged && (!n.started || n.err != nil) {
		d = max(d, n.accounted())
	}
	return d
}

// settle renews the remainder of a slice. Children are read before their
// parent, so the difference can dip only by a failed read; it never goes back.
//
// What a slice without processes of its own gained while children were removed
// is what those used after their last read. If they all belong to one owner it
// is charged to that owner, else it stays in the slice.
func (n *node) settle(err error) {
	defer func() { clear(n.lost); n.lost = n.lost[:0] }()
	if !n.started || err != nil {
		n.unsure = true
		return
	}
	gain := n.counted() - n.accounted() - n.remainder
	switch {
	case gain <= 0:
	case len(n.lost) == 0:
		n.busy = n.busy || !n.unsure && gain > ownWork
	case !n.busy && oneOwner(n.lost):
		last := n.lost[len(n.lost)-1]
		last.last += gain
		n.retired += gain
		gain = 0
	}
	n.unsure = false
	n.remainder += max(gain, 0)
}

// ownWork is the gain per Read from which a slice counts as one with processes
// of its own; less is the skew between reading children and parent.
const ownWork = 2 * time.Millisecond

func oneOwner(ns []*node) bool {
	for _, n := range ns[1:] {
		if n.function != ns[0].function || n.space != ns[0].space || n.identity.PodUID != ns[0].identity.PodUID {
			return false
		}
	}
	return ns[0].function != "" || ns[0].identity.PodUID != "" || len(ns) == 1
}

func (t *Tree) readMemory(n *node, now time.Time) {
	if !n.mem.open || n.hasMemory && now.Sub(n.memoryAt) < t.cfg.MemoryEvery {
		return
	}
	k, err := n.mem.read(t.buf[:])
	if err != nil {
		return
	}
	if v, err := parseUint(t.buf[:k]); err == nil && v < 1<<62 {
		n.memory, n.hasMemory, n.memoryAt = wattle.Bytes(v), true, now
	}
}

func (n *node) usage() Usage {
	u := Usage{
		ID: n.id, Key: n.key, Identity: n.identity, Function: n.function, Namespace: n.space,
		CPU: n.counted(), Memory: n.memory, HasMemory: n.hasMemory,
		Remainder: !n.charged, Gone: n.gone, Err: n.err,
	}
	if u.Remainder {
		u.CPU = n.remainder
		u.Memory = n.memoryRemainder()
	}
	return u
}

// memoryRemainder is what a slice holds beyond its reported children.
func (n *node) memoryRemainder() wattle.Bytes {
	m := n.memory
	for _, c := range n.children {
		if c.hasMemory {
			m -= c.memory
		}
	}
	return max(m, 0)
}

// Stats returns the counts as of now.
func (t *Tree) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Watching = t.watching
	for _, n := range t.nodes {
		switch {
		case n.charged:
			s.Cgroups++
		default:
			s.Slices++
		}
	}
	return s
}

// Close releases all descriptors. The Tree can be used again; it then starts anew.
func (t *Tree) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watching {
		return errors.New("cgroup: close while Run is active: cancel its context first")
	}
	for _, n := range append(t.nodes, t.departed...) {
		n.cpu.close()
		n.mem.close()
	}
	t.root, t.nodes, t.departed, t.primed, t.dirty = nil, nil, nil, false, false
	return nil
}
