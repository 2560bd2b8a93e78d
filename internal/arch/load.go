package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Finding is one breach of a rule: where it is and what to do about it.
type Finding struct {
	Path string // slash-separated, relative to the root
	Line int    // 0 means the whole file or folder
	Text string
}

// String renders "path:line: text".
func (f Finding) String() string {
	if f.Line == 0 {
		return f.Path + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Text)
}

// Tree is the parsed source of the main module and of the modules inside it.
type Tree struct {
	Files fs.FS
	Fset  *token.FileSet
	// Packages are ordered by folder.
	Packages []*Package
}

// Package is one folder with Go files, its tests left out.
type Package struct {
	// Dir is relative to the root, "." for the root itself.
	Dir   string
	Files []*File
	// Nested says that another go.mod rules here: only size and documentation
	// are checked.
	Nested bool
}

// File is one parsed Go file.
type File struct {
	*ast.File
	Path      string
	Lines     int
	Generated bool
}

// Load parses every Go file under files except tests, testdata and folders
// that start with "." or "_". A file that does not parse is an error.
func Load(files fs.FS) (*Tree, error) {
	t := &Tree{Files: files, Fset: token.NewFileSet()}
	nested := map[string]bool{}
	err := fs.WalkDir(files, ".", func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && p != "." && skipped(e.Name()):
			return fs.SkipDir
		case e.IsDir():
			_, missing := fs.Stat(files, path.Join(p, "go.mod"))
			nested[p] = p != "." && (missing == nil || nested[path.Dir(p)])
			return nil
		case !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go"):
			return nil
		}
		return t.add(p, nested[path.Dir(p)])
	})
	if err != nil {
		return nil, fmt.Errorf("read source tree: %w", err)
	}
	slices.SortFunc(t.Packages, func(a, b *Package) int { return strings.Compare(a.Dir, b.Dir) })
	return t, nil
}

// skipped reports whether a folder is not source of the project.
func skipped(name string) bool {
	return name == "testdata" || name == "vendor" || name == "node_modules" || name[0] == '.' || name[0] == '_'
}

// add parses one file into its package.
func (t *Tree) add(p string, nested bool) error {
	text, err := fs.ReadFile(t.Files, p)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(t.Fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(p)
	i := slices.IndexFunc(t.Packages, func(q *Package) bool { return q.Dir == dir })
	if i < 0 {
		i = len(t.Packages)
		t.Packages = append(t.Packages, &Package{Dir: dir, Nested: nested})
	}
	lines := strings.Count(string(text), "\n")
	t.Packages[i].Files = append(t.Packages[i].Files, &File{File: f, Path: p, Lines: lines, Generated: ast.IsGenerated(f)})
	return nil
}

// line is the line of a position.
func (t *Tree) line(at token.Pos) int { return t.Fset.Position(at).Line }

// at makes a finding at a position of f.
func (t *Tree) at(f *File, pos token.Pos, format string, args ...any) Finding {
	return Finding{f.Path, t.line(pos), fmt.Sprintf(format, args...)}
}

// written calls visit for each file that people wrote; with own set, only for
// those of the main module.
func (t *Tree) written(own bool, visit func(*Package, *File)) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if !f.Generated && !(own && p.Nested) {
				visit(p, f)
			}
		}
	}
}
