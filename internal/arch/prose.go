package arch

import (
	"bytes"
	"go/ast"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// CheckDocs looks for packages and exported names without a comment.
func CheckDocs(t *Tree) []Finding {
	var out []Finding
	for _, p := range t.Packages {
		written := slices.ContainsFunc(p.Files, func(f *File) bool { return !f.Generated })
		if written && !slices.ContainsFunc(p.Files, func(f *File) bool { return f.Doc != nil && !f.Generated }) {
			out = append(out, Finding{Path: p.Dir, Text: "package without a doc comment: say in one sentence what it is for, above the package clause"})
		}
	}
	t.written(false, func(_ *Package, f *File) {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					out = append(out, t.undocumented(f, d.Name))
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					out = append(out, t.undocumentedIn(f, d, s)...)
				}
			}
		}
	})
	return out
}

func (t *Tree) undocumented(f *File, name *ast.Ident) Finding {
	return t.at(f, name.Pos(), "%s is exported and has no comment: say what it is, in which unit, and what goes wrong", name.Name)
}

func (t *Tree) undocumentedIn(f *File, d *ast.GenDecl, s ast.Spec) []Finding {
	var out []Finding
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
			out = append(out, t.undocumented(f, s.Name))
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if n.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				out = append(out, t.undocumented(f, n))
			}
		}
	}
	return out
}

// exportedReceiver reports whether d is a function or a method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// CheckUnfinished looks for marks of unfinished work in comments.
func CheckUnfinished(t *Tree) []Finding {
	mark := regexp.MustCompile(`\b(` + strings.Join(unfinished(), "|") + `)\b`)
	var out []Finding
	t.written(false, func(_ *Package, f *File) {
		for _, g := range f.Comments {
			for _, c := range g.List {
				if m := mark.FindString(c.Text); m != "" {
					out = append(out, t.at(f, c.Pos(), "%s in a comment: do it, or say in docs what is missing and why", m))
				}
			}
		}
	})
	return out
}

// CheckWords looks in every text file, tests and documents included, for words
// that have no place in the project.
func CheckWords(t *Tree) []Finding {
	var out []Finding
	err := fs.WalkDir(t.Files, ".", func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains([]string{".git", "bin", "build", "node_modules"}, path.Base(p)):
			return fs.SkipDir
		case e.IsDir() || !e.Type().IsRegular() || path.Base(p) == ".git": // a linked work tree has a file .git
			return nil
		}
		text, err := fs.ReadFile(t.Files, p)
		if err == nil && !bytes.ContainsRune(text[:min(len(text), 8000)], 0) {
			out = append(out, foreign(p, text)...)
		}
		return err
	})
	if err != nil {
		out = append(out, Finding{Path: ".", Text: "cannot be searched: " + err.Error()})
	}
	return out
}

func foreign(p string, text []byte) []Finding {
	var out []Finding
	for _, w := range foreignWords() {
		if i := bytes.Index(bytes.ToLower(text), []byte(w)); i >= 0 {
			line := 1 + bytes.Count(text[:i], []byte("\n"))
			out = append(out, Finding{p, line, "says " + w + ": write of the project alone"})
		}
	}
	return out
}
