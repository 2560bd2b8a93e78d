package policies

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// readSet is what an entry point can read: an over-approximation taken from
// the compiled modules, so that a cache keyed by it is sound.
type readSet struct {
	request, params, candidate []read
	data                       [][]string // paths below data, none a prefix of another
	wide                       []wideRead
	where                      map[read]*ast.Location // one place that reads it
}

// wideRead is a reference to more than one field at once.
type wideRead struct {
	at     *ast.Location
	path   string
	fields int
}

// slow reports whether only attributes of the fleet are read of a candidate.
func (s *readSet) slow() bool {
	return !slices.ContainsFunc(s.candidate, func(r read) bool { return !r.id.slow() })
}

// analyser walks rules from an entry point to everything that it can reach.
type analyser struct {
	compiler *ast.Compiler
	fields   []field
	rules    map[*ast.Rule]bool
	inputs   map[read]*ast.Location
	data     map[string][]string
	wide     []wideRead
}

func newAnalyser(c *ast.Compiler) *analyser {
	return &analyser{compiler: c, fields: fields(), rules: map[*ast.Rule]bool{}, inputs: map[read]*ast.Location{}, data: map[string][]string{}}
}

// reads returns what the document at ref can read.
func (a *analyser) reads(ref ast.Ref) readSet {
	a.follow(ref)
	all := slices.SortedFunc(maps.Keys(a.inputs), func(x, y read) int {
		return cmp.Or(cmp.Compare(x.id, y.id), strings.Compare(x.label, y.label))
	})
	s := splitReads(all)
	s.wide, s.where = a.wide, a.inputs
	s.data = outermost(a.data)
	slices.SortFunc(s.wide, func(x, y wideRead) int { return x.at.Compare(y.at) })
	return s
}

// follow visits every rule that ref may name.
func (a *analyser) follow(ref ast.Ref) {
	for _, rule := range reachable(a.compiler.RuleTree, ref) {
		if !a.rules[rule] {
			a.rules[rule] = true
			a.visit(rule)
		}
	}
}

// visit walks a rule with all its branches: head, body, else, with, closures.
func (a *analyser) visit(rule *ast.Rule) {
	var vis *ast.GenericVisitor
	vis = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			a.ref(x)
			for i, t := range x { // a root document at the head is not a use of all of it
				if i > 0 || !root(t) {
					vis.Walk(t)
				}
			}
			return true
		case *ast.Term:
			if root(x) {
				a.ref(ast.Ref{x})
			}
		}
		return false
	})
	vis.Walk(rule)
	vis.Walk(rule.Head.Reference)
}

func root(t *ast.Term) bool {
	return t.Equal(ast.InputRootDocument) || t.Equal(ast.DefaultRootDocument)
}

// ref records a reference to input or data.
func (a *analyser) ref(ref ast.Ref) {
	switch {
	case len(ref) == 0:
	case ref[0].Equal(ast.InputRootDocument):
		a.input(ref)
	case ref[0].Equal(ast.DefaultRootDocument):
		a.follow(ref)
		a.base(ref)
	}
}

func (a *analyser) input(ref ast.Ref) {
	found := lookup(a.fields, constants(ref))
	for _, r := range found {
		if a.inputs[r] == nil {
			a.inputs[r] = ref[0].Location
		}
	}
	if len(found) > 1 {
		a.wide = append(a.wide, wideRead{ref[0].Location, "input" + dotted(constants(ref)), len(found)})
	}
}

// base records a path of the data document. Paths below data.wattle hold
// modules only; every other path may hold data beside rules.
func (a *analyser) base(ref ast.Ref) {
	path := constants(ref)
	if len(path) > 0 && path[0] == "wattle" {
		return
	}
	a.data[strings.Join(path, "\x00")] = path
}

// constants returns the leading constant strings of ref behind its head.
func constants(ref ast.Ref) []string {
	var path []string
	for _, t := range ref[1:] {
		s, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		path = append(path, string(s))
	}
	return path
}

func dotted(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return "." + strings.Join(path, ".")
}

// reachable returns every rule that ref can name: those on its path, and all
// below the point where its constants end.
func reachable(node *ast.TreeNode, ref ast.Ref) []*ast.Rule {
	var out []*ast.Rule
	for i, t := range ref {
		if i > 0 && !ast.IsConstant(t.Value) {
			break
		}
		next := node.Child(t.Value)
		if next == nil {
			return out
		}
		node = next
		out = append(out, node.Values...)
	}
	return append(out, below(node)...)
}

func below(node *ast.TreeNode) []*ast.Rule {
	var out []*ast.Rule
	for _, child := range node.Children {
		out = append(append(out, child.Values...), below(child)...)
	}
	return out
}

// outermost drops paths that another path contains, and sorts the rest.
func outermost(paths map[string][]string) [][]string {
	var out [][]string
	for _, p := range paths {
		covered := false
		for n := range p {
			_, ok := paths[strings.Join(p[:n], "\x00")]
			covered = covered || ok
		}
		if !covered {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, slices.Compare)
	return out
}
