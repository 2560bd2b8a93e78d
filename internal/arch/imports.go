package arch

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// CheckLayers compares every import of the main module with the table.
func CheckLayers(t *Tree) []Finding {
	var out []Finding
	for _, p := range t.Packages {
		if p.Nested {
			continue
		}
		row, ok := rowOf(p.Dir)
		if !ok {
			out = append(out, Finding{Path: p.Dir, Text: "no row of the layer table speaks of this package: add one to internal/arch/layers.go that says what it may import"})
			continue
		}
		for _, f := range p.Files {
			for _, i := range f.Imports {
				if text := row.refuses(importPath(i)); text != "" {
					out = append(out, t.at(f, i.Pos(), "%s", text))
				}
			}
		}
	}
	return out
}

func importPath(i *ast.ImportSpec) string {
	p, _ := strconv.Unquote(i.Path.Value) // the parser accepted it as a string
	return p
}

// rowOf finds the row with the longest match.
func rowOf(dir string) (best Row, ok bool) {
	for _, r := range Layers() {
		if covers(r.Package, dir) && (!ok || len(r.Package) > len(best.Package) || r.Package == dir) && best.Package != dir {
			best, ok = r, true
		}
	}
	return best, ok
}

// covers reports whether a pattern of the table names dir. "a/*" covers all
// beneath a and, so that lists stay short, a itself.
func covers(pattern, dir string) bool {
	above, deep := strings.CutSuffix(pattern, "/*")
	return pattern == "*" || dir == above || deep && strings.HasPrefix(dir, above+"/")
}

// refuses says why a package of this row may not import p, or "".
func (r *Row) refuses(p string) string {
	own, ours := within(p)
	switch {
	case ours:
		if own == "" || slices.ContainsFunc(r.Own, func(o string) bool { return covers(o, own) }) {
			return ""
		}
		return "layer " + strconv.Itoa(r.Layer) + " (" + r.Package + ") may not import " + own + " of this module, only " + list(r.Own) + ": declare the interface here and let a higher layer pass the value in"
	case isStd(p):
		return r.refusesStd(p)
	case slices.ContainsFunc(r.Third, func(o string) bool { return o == "*" || o == p || strings.HasPrefix(p, o+"/") }):
		return ""
	}
	return "layer " + strconv.Itoa(r.Layer) + " (" + r.Package + ") may not import third-party " + p + ", only " + list(r.Third) + ": move the code that needs it into an adapter"
}

func (r *Row) refusesStd(p string) string {
	if r.Std != nil && !slices.Contains(r.Std, p) {
		return "the vocabulary imports only " + list(r.Std) + ", not " + p + ": move what needs it to the package that uses it"
	}
	if r.Kind == Pure && beneath(outside(), p) {
		return "package " + r.Package + " is part of the decision core, which does no I/O: take what " + p + " would give as an argument"
	}
	return ""
}

// within returns p relative to the main module.
func within(p string) (string, bool) {
	if p == Root {
		return ".", true
	}
	return strings.CutPrefix(p, Root+"/")
}

// isStd reports whether p is of the standard library: its first element has no dot.
func isStd(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

// beneath reports whether p is one of above or lies under one.
func beneath(above []string, p string) bool {
	return slices.ContainsFunc(above, func(a string) bool { return p == a || strings.HasPrefix(p, a+"/") })
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// Reach lists what the packages in from import, over any number of steps
// within the main module: own packages relative to Root, and import paths of
// third parties, each sorted.
func (t *Tree) Reach(from ...string) (own, third []string) {
	seen := map[string]bool{}
	todo := slices.Clone(from)
	for len(todo) > 0 {
		dir := todo[0]
		todo = todo[1:]
		for _, p := range t.imports(dir) {
			rel, ours := within(p)
			if isStd(p) || seen[p] {
				continue
			}
			seen[p] = true
			if ours {
				own, todo = append(own, rel), append(todo, rel)
			} else {
				third = append(third, p)
			}
		}
	}
	slices.Sort(own)
	slices.Sort(third)
	return own, third
}

// imports lists the imports of the package in dir.
func (t *Tree) imports(dir string) []string {
	var out []string
	for _, p := range t.Packages {
		if p.Dir != dir {
			continue
		}
		for _, f := range p.Files {
			for _, i := range f.Imports {
				out = append(out, importPath(i))
			}
		}
	}
	return out
}

// CheckReach looks for what a Ban keeps out, and for third parties behind the core.
func CheckReach(t *Tree) []Finding {
	var out []Finding
	for _, b := range Bans() {
		own, third := t.Reach(b.From)
		for _, p := range append(own, third...) {
			if beneath(b.Away, p) {
				out = append(out, Finding{Path: b.From, Text: "reaches " + p + ", but " + b.Why + ": cut the import between them"})
			}
		}
	}
	if _, third := t.Reach(CorePackages()...); len(third) > 0 {
		out = append(out, Finding{Path: "scheduler", Text: "the decision core reaches third-party " + list(third) + ": it is built of the standard library alone"})
	}
	return out
}
