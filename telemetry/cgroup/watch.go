package cgroup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// Run listens for cgroups that appear, empty and vanish until ctx ends. A
// cgroup that empties is read at once, so that work shorter than the interval
// between two Reads reaches its owner even when the cgroup is removed right
// after. Without Run all this is noticed by the walk of the next Read only, and
// the work of a cgroup that came and went in between stays with its slice.
//
// Run returns an error when the kernel gives no notifications (for example
// because fs.inotify.max_user_instances is used up); the Tree works on.
func (t *Tree) Run(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("cgroup: no notification, short-lived cgroups are charged to their slice: %w (raise fs.inotify.max_user_instances)", err)
	}
	defer func() { _ = w.Close() }()
	if err := t.subscribe(w); err != nil {
		return err
	}
	defer t.unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("cgroup: notifications ended")
			}
			t.handle(e)
		case err, ok := <-w.Errors:
			if ok {
				t.overflow(err)
			}
		}
	}
}

// subscribe watches all that is known and whatever is added from now on.
func (t *Tree) subscribe(w *fsnotify.Watcher) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watching {
		return errors.New("cgroup: Run is active already")
	}
	if err := t.start(); err != nil {
		return err
	}
	t.watching = true
	t.onNode = func(n *node) { t.watch(w, n) }
	t.onGone = func(n *node) { _ = w.Remove(t.watchPath(n)) }
	t.watchBelow(w, t.root)
	t.list(t.root) // what came between the last walk and the watch
	t.primed = true
	return nil
}

func (t *Tree) unsubscribe() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watching, t.onNode, t.onGone = false, nil, nil
}

func (t *Tree) watchBelow(w *fsnotify.Watcher, n *node) {
	t.watch(w, n)
	for _, c := range n.children {
		t.watchBelow(w, c)
	}
}

// watch follows the events file of a charged cgroup and the entries of any
// other directory. The file must be watched itself: the kernel reports a
// change to the directory only while the file's inode is in memory.
func (t *Tree) watch(w *fsnotify.Watcher, n *node) {
	path := t.watchPath(n)
	if path == "" {
		return
	}
	if err := w.Add(path); err != nil && !removed(err) {
		t.cfg.Log.Debug("cgroup is not watched", "cgroup", n.key, "err", err)
	}
}

// watchPath is what watch follows, empty for a charged cgroup of v1. It must be
// unsubscribed by hand: the kernel keeps a watched file of a removed cgroup.
func (t *Tree) watchPath(n *node) string {
	switch {
	case !n.charged:
		return t.path(n.key)
	case t.h.eventFile == "":
		return ""
	}
	return filepath.Join(t.path(n.key), t.h.eventFile)
}

func (t *Tree) handle(e fsnotify.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, name := filepath.Dir(e.Name), filepath.Base(e.Name)
	switch {
	case name == t.h.eventFile && e.Has(fsnotify.Write):
		t.lastRead(t.find(dir))
	case e.Has(fsnotify.Create):
		if p := t.find(dir); p != nil {
			t.appeared(p, name)
		}
	case e.Has(fsnotify.Remove):
		t.vanished(t.find(e.Name))
	}
}

// appeared takes up a new directory and opens it at once, while it exists.
func (t *Tree) appeared(parent *node, name string) {
	t.visit(parent, name)
	n := parent.children[name]
	if n == nil || n.charged {
		t.lastRead(n)
		return
	}
	// The watch was set after the directory was made: look for what came first.
	t.list(n)
	for _, c := range n.children {
		t.lastRead(c)
	}
}

// vanished retires n if it is gone, and reports whether it is: the news of a
// removal may come after a cgroup of the same name was made.
func (t *Tree) vanished(n *node) bool {
	if n == nil || n.parent == nil {
		return false
	}
	if f, err := stat(t.path(n.key)); err == nil && f.inode == n.inode {
		return false
	}
	t.retire(n)
	return true
}

func (t *Tree) lastRead(n *node) {
	if n == nil || !n.charged {
		return
	}
	t.stats.LastReads++
	if err := t.readCPU(n); err != nil && !removed(err) {
		t.cfg.Log.Debug("cgroup cannot be read", "cgroup", n.key, "err", err)
	}
}

// find returns the node of a directory, or nil.
func (t *Tree) find(path string) *node {
	rel, err := filepath.Rel(t.h.cpuRoot, path)
	if err != nil {
		return nil
	}
	n := t.root
	if rel == "." {
		return n
	}
	for rel != "" && n != nil {
		var part string
		part, rel = cutPath(rel)
		n = n.children[part]
	}
	return n
}

func cutPath(p string) (head, rest string) {
	for i := 0; i < len(p); i++ {
		if p[i] == filepath.Separator {
			return p[:i], p[i+1:]
		}
	}
	return p, ""
}

// overflow walks again after the kernel dropped notifications.
func (t *Tree) overflow(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cfg.Log.Warn("cgroup notifications were lost, walking again", "err", err)
	t.list(t.root)
}
