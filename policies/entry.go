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

	mu     sync.Mutex
	cache  *cache // results by class and candidate fields
	last   *cache // last good results by request and target
	logged *cache // classes whose failure was logged
}

func (x *entry) name() string { return entryNames()[x.id] }

// rows is the number of distinct rows of a batch of n.
func (x *entry) rows(n int) int {
	if len(x.reads.candidate) == 0 {
		return 1
	}
	return n
}

// class appends the part of the key that all rows of a batch share: the request
// and parameter fields that are read, and the content of the data that is read.
func (x *entry) class(dst []byte, r *row, g *generation) []byte {
	dst = r.appendKey(dst, x.reads.request)
	dst = r.appendKey(dst, x.reads.params)
	return append(dst, g.keys[x.id][:]...)
}

// hit returns what is cached under key, nil where an evaluation is due.
func (x *entry) hit(key []byte) *outcome {
	o := x.cache.get(key)
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
