package arch

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// CheckPurity looks for clocks, global random sources and goroutines where the
// table forbids them.
func CheckPurity(t *Tree) []Finding {
	var out []Finding
	t.written(true, func(p *Package, f *File) {
		row, _ := rowOf(p.Dir)
		if row.Kind == Free {
			return
		}
		names := importNames(f)
		ast.Inspect(f.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				if row.Kind == Pure {
					out = append(out, t.at(f, n.Pos(), "the decision core starts no goroutine: return the work as a value and let the driver run it"))
				}
			case *ast.SelectorExpr:
				if text := impure(names, n); text != "" {
					out = append(out, t.at(f, n.Pos(), "%s", text))
				}
			}
			return true
		})
	})
	return out
}

// importNames maps the names by which a file calls its imports to their paths.
func importNames(f *File) map[string]string {
	out := map[string]string{}
	for _, i := range f.Imports {
		p := importPath(i)
		name := path.Base(p)
		if name == "v2" {
			name = path.Base(path.Dir(p))
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		out[name] = p
	}
	return out
}

func impure(names map[string]string, s *ast.SelectorExpr) string {
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	switch p := names[x.Name]; {
	case p == "time" && slices.Contains(clockFunctions(), s.Sel.Name):
		return "time." + s.Sel.Name + " reads the machine's clock: take the time as an argument, so that a run repeats"
	case (p == "math/rand" || p == "math/rand/v2") && !slices.Contains(seededRandom(), s.Sel.Name):
		return p + "." + s.Sel.Name + " draws from the global source: take a source seeded by the request, so that a run repeats"
	}
	return ""
}

// CheckGlobals looks for init functions and package variables that could
// change: only errors, embedded files and compile-time assertions may be
// package variables.
func CheckGlobals(t *Tree) []Finding {
	var out []Finding
	t.written(true, func(p *Package, f *File) {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					out = append(out, t.at(f, d.Pos(), "init runs behind the reader's back: make it a function that the caller calls"))
				}
			case *ast.GenDecl:
				out = append(out, t.variables(p, f, d)...)
			}
		}
	})
	return out
}

func (t *Tree) variables(p *Package, f *File, d *ast.GenDecl) []Finding {
	var out []Finding
	if d.Tok != token.VAR {
		return nil
	}
	for _, s := range d.Specs {
		v := s.(*ast.ValueSpec)
		for i, name := range v.Names {
			known := name.Name == "_" || embedded(d, v) || slices.Contains(linkerVariables(), p.Dir+"."+name.Name)
			if !known && !(i < len(v.Values) && isError(v.Values[i])) {
				out = append(out, t.at(f, name.Pos(), "package variable %s can be changed by anyone: make it a constant, a function that returns it, or a field", name.Name))
			}
		}
	}
	return out
}

// embedded reports whether a //go:embed line stands above v.
func embedded(d *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, g := range []*ast.CommentGroup{d.Doc, v.Doc} {
		if g != nil && slices.ContainsFunc(g.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }) {
			return true
		}
	}
	return false
}

// isError reports whether e makes an error: errors.New or fmt.Errorf.
func isError(e ast.Expr) bool {
	c, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && (x.Name == "errors" && s.Sel.Name == "New" || x.Name == "fmt" && s.Sel.Name == "Errorf")
}

// CheckShape measures functions, files and interfaces, and reads package names.
func CheckShape(t *Tree) []Finding {
	var out []Finding
	t.written(false, func(p *Package, f *File) {
		if f.Lines > MaxFileLines {
			out = append(out, Finding{f.Path, 0, strconv.Itoa(f.Lines) + " lines, at most " + strconv.Itoa(MaxFileLines) + " are wanted: split it by subject"})
		}
		if slices.Contains(vagueNames(), f.Name.Name) {
			out = append(out, t.at(f, f.Name.Pos(), "package name %q says nothing: name what it holds", f.Name.Name))
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if lines := t.length(n); lines > MaxFunctionLines {
					out = append(out, t.at(f, n.Pos(), "function %s has %d lines, at most %d are wanted: name its steps", n.Name.Name, lines, MaxFunctionLines))
				}
			case *ast.InterfaceType:
				if m := methods(n); m > MaxInterfaceMethods {
					out = append(out, t.at(f, n.Pos(), "interface with %d methods, at most %d are wanted: ask only for what is used here", m, MaxInterfaceMethods))
				}
			}
			return true
		})
	})
	return out
}

func (t *Tree) length(f *ast.FuncDecl) int { return t.line(f.End()) - t.line(f.Pos()) + 1 }

// methods counts methods and embedded interfaces; the terms of a type
// constraint are not counted.
func methods(n *ast.InterfaceType) int {
	count := 0
	for _, m := range n.Methods.List {
		switch m.Type.(type) {
		case *ast.UnaryExpr, *ast.BinaryExpr:
		default:
			count += max(1, len(m.Names))
		}
	}
	return count
}

// Functions returns the length in lines of every function that people wrote, sorted.
func (t *Tree) Functions() []int {
	var out []int
	t.written(false, func(_ *Package, f *File) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				out = append(out, t.length(fn))
			}
		}
	})
	slices.Sort(out)
	return out
}
