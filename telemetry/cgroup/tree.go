package cgroup

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
)

// Usage is what one cgroup has used. The entries of one Read are disjoint: a
// slice is reported by its remainder, what its reported children did not use.
type Usage struct {
	// ID is never used again in the life of a Tree, so that a cgroup and a
	// later one of the same path are told apart.
	ID uint64
	// Key is the path below the root of the hierarchy, starting with "/".
	Key string
	Identity
	// Function and Namespace are what a pattern captured.
	Function, Namespace string
	// CPU is cumulative processor time since the cgroup began or the Tree
	// first looked, whichever is later. It never decreases.
	CPU time.Duration
	// Memory is the use at the last look, at most Config.MemoryEvery old.
	Memory    wattle.Bytes
	HasMemory bool
	// Remainder marks a slice: work of its own processes and of children that
	// ended unread.
	Remainder bool
	// Gone marks the last report of a cgroup that was removed.
	Gone bool
	// Err says why CPU is older than this Read.
	Err error
}

// Tree finds cgroups and reads them. Its methods may be called concurrently.
type Tree struct {
	cfg   Config
	rules []rule

	mu       sync.Mutex
	h        hierarchy
	root     *node
	nodes    []*node // reported ones, children before parents
	dirty    bool    // nodes must be collected again
	nextID   uint64
	primed   bool // the first walk is done: what appears now is new
	watching bool
	departed []*node     // removed ones whose last report is due
	onNode   func(*node) // subscribes a new node while watching
	onGone   func(*node) // and ends the subscription
	pass     uint64      // number of this Read
	walkedAt time.Time
	stats    Stats
	buf      [1024]byte
}

// Stats counts what a Tree did since it was made.
type Stats struct {
	Mode       Mode
	Cgroups    int    // containers and matched cgroups now
	Slices     int    // reported parents now
	Unreadable int    // cgroups whose last read failed
	Walks      uint64 // full walks
	LastReads  uint64 // reads made because a cgroup changed or emptied
	Watching   bool   // the kernel notifies changes
}

// New returns a Tree. It touches no file before the first Read.
func New(cfg Config) (*Tree, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	rules, err := compile(cfg.Patterns)
	if err != nil {
		return nil, err
	}
	return &Tree{cfg: cfg, rules: rules}, nil
}

// node is a directory. Only charged ones and their ancestors are open.
type node struct {
	id       uint64
	key      string
	inode    uint64
	depth    int
	parent   *node
	children map[string]*node
	charged  bool
	below    int // charged descendants
	identity Identity
	function string
	space    string

	cpu, mem   descriptor
	opened     bool
	started    bool          // base is known
	base, last time.Duration // raw counter at the start and at the last read
	retired    time.Duration // counted by children that are gone
	remainder  time.Duration // of a slice, never decreasing
	memory     wattle.Bytes
	hasMemory  bool
	memoryAt   time.Time
	lost       []*node // of a slice: children removed since it was settled
	busy       bool    // a slice that has work of its own
	unsure     bool    // its last read failed
	gone       bool
	told       uint64 // the Read that reported it last
	fresh      bool   // appeared after the first walk
	err        error
}

func (n *node) counted() time.Duration { return n.last - n.base }

func (t *Tree) path(key string) string { return filepath.Join(t.h.cpuRoot, key) }

// start detects the hierarchy and makes the root node.
func (t *Tree) start() error {
	if t.root != nil {
		return nil
	}
	h, err := detect(t.cfg.Root, t.cfg.Mode)
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	t.h, t.stats.Mode = h, h.mode
	t.root = &node{key: "/", children: map[string]*node{}, id: t.newID()}
	return nil
}

func (t *Tree) newID() uint64 {
	t.nextID++
	return t.nextID
}

// walk compares the whole tree with the file system.
func (t *Tree) walk(now time.Time) error {
	if _, err := os.Stat(t.h.cpuRoot); err != nil {
		return fmt.Errorf("cgroup: hierarchy vanished: %w", err)
	}
	t.list(t.root)
	t.walkedAt, t.primed = now, true
	t.stats.Walks++
	return nil
}

// list brings the children of dir up to date, depth first. A directory that
// cannot be listed keeps the children it had.
func (t *Tree) list(dir *node) {
	entries, err := os.ReadDir(t.path(dir.key))
	if err != nil {
		dir.err = err
		t.cfg.Log.Debug("cgroup cannot be listed", "cgroup", dir.key, "err", err)
		return
	}
	dir.err = nil
	seen := make(map[string]bool, len(dir.children))
	for _, e := range entries {
		if e.IsDir() {
			seen[e.Name()] = true
			t.visit(dir, e.Name())
		}
	}
	for name, c := range dir.children {
		if !seen[name] {
			t.retire(c)
		}
	}
}

// visit adds or renews one child of dir and goes below it.
func (t *Tree) visit(dir *node, name string) {
	key := joinKey(dir.key, name)
	f, err := stat(t.path(key))
	if err != nil || dir.depth+1 > t.cfg.MaxDepth {
		return
	}
	c := dir.children[name]
	if c != nil && c.inode != f.inode {
		t.retire(c)
		c = nil
	}
	if c == nil {
		c = t.add(dir, name, key, f)
	}
	if !c.charged && (!f.leaf || len(c.children) > 0) {
		t.list(c)
	}
}

func joinKey(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

func (t *Tree) add(dir *node, name, key string, f folder) *node {
	c := &node{
		id: t.newID(), key: key, inode: f.inode, depth: dir.depth + 1,
		parent: dir, fresh: t.primed,
	}
	dir.children[name] = c
	if fn, ns, ok := match(t.rules, key); ok {
		c.charged, c.function, c.space = true, fn, ns
	}
	if t.cfg.Containers {
		c.identity = Identify(key)
		c.charged = c.charged || c.identity.Container != "" && !t.nests(key, f)
	}
	if c.charged {
		for p := c; p != nil; p = p.parent {
			p.below++
		}
		t.dirty = true
	} else {
		c.children = map[string]*node{}
	}
	if t.onNode != nil {
		t.onNode(c)
	}
	return c
}

// nests reports whether a container runs a kubelet inside (kind, k3d): then
// the pods below are charged, not the container around them.
func (t *Tree) nests(key string, f folder) bool {
	if f.leaf {
		return false
	}
	return slices.ContainsFunc(directories(t.path(key)), func(n string) bool {
		return n == "kubelet" || n == "kubelet.slice" || n == "kubepods" || n == "kubepods.slice"
	})
}

// retire takes a removed directory and all below it out of the tree. Their
// last report follows with the next Read.
func (t *Tree) retire(n *node) {
	if n.gone {
		return
	}
	for _, c := range n.children {
		t.retire(c)
	}
	if n.parent == nil {
		return
	}
	if n.opened {
		_ = t.readCPU(n) // succeeds only where files outlive their directory
	}
	n.gone = true
	if t.onGone != nil {
		t.onGone(n)
	}
	if n.charged || n.started {
		t.departed = append(t.departed, n)
	}
	delete(n.parent.children, filepath.Base(n.key))
	n.parent.retired += n.claims()
	n.parent.lost = append(n.parent.lost, n)
	if n.charged {
		for p := n; p != nil; p = p.parent {
			p.below--
		}
	}
	t.dirty = true
}

// collect lists the nodes to report: charged ones and their ancestors, deepest
// first so that children are read before their parents, then by key.
func (t *Tree) collect() {
	if !t.dirty {
		return
	}
	t.nodes = t.root.reported(t.nodes[:0])
	slices.SortFunc(t.nodes, byDepth)
	t.dirty = false
}

func byDepth(a, b *node) int {
	return cmp.Or(cmp.Compare(b.depth, a.depth), cmp.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
}

func (n *node) reported(dst []*node) []*node {
	if n.below == 0 && n.parent != nil && !n.started {
		return dst
	}
	dst = append(dst, n)
	for _, c := range n.children {
		dst = c.reported(dst)
	}
	return dst
}
