package policies

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// entryID numbers the entry points of package wattle.placement.
type entryID uint8

const (
	entryDeny entryID = iota
	entryScore
	entryLimits
	entryObjective
	entryLifecycle
	entryCount
)

func entryNames() []string { return []string{"deny", "score", "limits", "objective", "lifecycle"} }

// judges reports whether the entry point may read candidates.
func (id entryID) judges() bool { return id == entryDeny || id == entryScore }

// maxBackoff is the most uses between two tries of a failing evaluation.
const maxBackoff = 1024

// entry is one entry point that a policy defines.
type entry struct {
	id    entryID
	body  ast.Body // result = data.wattle.placement.<name>
	reads readSet
	slow  bool // reads only what is constant for the fleet

	mu      sync.Mutex
	classes *cache[uint64]   // numbers of classes
	newest  uint64           // the number given last; none is given twice
	results *cache[*outcome] // by class number and candidate fields
	last    *cache[*outcome] // last good results by request and target
	logged  *cache[bool]     // classes whose failure was logged
}

func newEntry(id entryID, size int) *entry {
	return &entry{
		id: id, classes: newCache[uint64](size), results: newCache[*outcome](size),
		last: newCache[*outcome](size), logged: newCache[bool](min(size, 1024)),
	}
}

func (x *entry) name() string { return entryNames()[x.id] }

// rows is the number of distinct rows of a batch of n.
func (x *entry) rows(n int) int {
	if len(x.reads.candidate) == 0 {
		return 1
	}
	return n
}

// class returns the number of the batch's class: the request and parameter
// fields that are read, and the content of the data that is read. A class that
// was evicted gets a new number. buf is scratch. x.mu is held.
func (x *entry) class(buf []byte, r *row, g *generation) ([]byte, uint64) {
	buf = r.appendKey(buf, x.reads.request)
	buf = r.appendKey(buf, x.reads.params)
	buf = append(buf, g.keys[x.id][:]...)
	n, ok := x.classes.get(buf)
	if !ok {
		x.newest++
		n = x.newest
		x.classes.put(string(buf), n)
	}
	return buf, n
}

// hit returns what is cached under key, nil where an evaluation is due.
func (x *entry) hit(key []byte) *outcome {
	o, _ := x.results.get(key)
	if o == nil || !o.failed {
		return o
	}
	if o.wait == 0 {
		return nil
	}
	o.wait--
	return o
}

// lastKey names the last good result that may stand in for r: the same request
// fields and, for a judgement, the same target.
func (x *entry) lastKey(r *row) string {
	key := r.appendKey([]byte{0, 0}, x.reads.request)
	n := len(key)
	key[0], key[1] = byte(n), byte(n>>8)
	if len(x.reads.candidate) > 0 {
		key = append(key, r.attrs[r.columns.Target[r.i]].Target...)
	}
	return string(key)
}

// classOf is the request part of a job's lastKey.
func (x *entry) classOf(j *job) string {
	return j.last[:int(j.last[0])|int(j.last[1])<<8]
}
