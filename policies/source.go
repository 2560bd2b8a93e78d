package policies

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wattle-project/wattle/policies/library"
)

// Source is the text of a policy.
type Source struct {
	// Name is what messages call it.
	Name string
	// Modules and Tests are Rego text by file name. Tests are the files that
	// end in _test.rego.
	Modules, Tests map[string]string
	// Data is the content of a data.json beside the modules.
	Data map[string]any
}

// ReadSource reads one .rego file, with the _test.rego file of the same name if
// there is one, or all .rego files of a directory and those below it, with its
// data.json.
func ReadSource(name string) (Source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Source{}, fmt.Errorf("read policy: %w", err)
	}
	if info.IsDir() {
		return readDir(name)
	}
	src := newSource(strings.TrimSuffix(filepath.Base(name), ".rego"))
	if err := src.add(name); err != nil {
		return src, err
	}
	test := strings.TrimSuffix(name, ".rego") + "_test.rego"
	if _, err := os.Stat(test); err == nil && test != name {
		return src, src.add(test)
	}
	return src, nil
}

func newSource(name string) Source {
	return Source{Name: name, Modules: map[string]string{}, Tests: map[string]string{}}
}

func readDir(dir string) (Source, error) {
	src := newSource(filepath.Base(filepath.Clean(dir)))
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch {
		case strings.HasSuffix(name, ".rego"):
			return src.add(name)
		case filepath.Dir(name) == filepath.Clean(dir) && d.Name() == "data.json":
			return src.addData(name)
		}
		return nil
	})
	if err == nil && len(src.Modules) == 0 {
		err = fmt.Errorf("no .rego file in %s", dir)
	}
	return src, err
}

func (s *Source) add(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read policy: %w", err)
	}
	if strings.HasSuffix(name, "_test.rego") {
		s.Tests[name] = string(b)
	} else {
		s.Modules[name] = string(b)
	}
	return nil
}

func (s *Source) addData(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read policy data: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&s.Data); err != nil {
		return fmt.Errorf("%s: want a JSON object: %w", name, err)
	}
	return nil
}

// LibrarySource returns a shipped policy's text, with its tests.
func LibrarySource(name string) (Source, error) {
	src := newSource(name)
	b, err := library.Files().ReadFile(name + ".rego")
	if err != nil {
		return src, fmt.Errorf("unknown library policy %q%s", name, suggest(name, LibraryNames()))
	}
	src.Modules["library/"+name+".rego"] = string(b)
	if t, err := library.Files().ReadFile(name + "_test.rego"); err == nil {
		src.Tests["library/"+name+"_test.rego"] = string(t)
	}
	return src, nil
}

// LibraryNames lists the shipped policies, sorted.
func LibraryNames() []string {
	names, _ := fs.Glob(library.Files(), "*.rego") // the pattern is well formed
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, "_test.rego") })
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, ".rego")
	}
	return names
}

// Summary returns the first sentence of a shipped policy's documentation.
func Summary(name string) (string, error) {
	src, err := LibrarySource(name)
	if err != nil {
		return "", err
	}
	var words []string
	for line := range strings.Lines(src.Modules["library/"+name+".rego"]) {
		comment, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
		words = append(words, strings.Fields(comment)...)
		if !ok || strings.HasSuffix(strings.TrimSpace(line), ".") {
			break
		}
	}
	return strings.Join(words, " "), nil
}

// parse parses modules as Rego v1. Syntax errors carry file, line and column.
func parse(texts map[string]string) (map[string]*ast.Module, Findings) {
	out := map[string]*ast.Module{}
	var found Findings
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		m, err := ast.ParseModuleWithOpts(name, texts[name], ast.ParserOptions{RegoVersion: ast.RegoV1})
		switch {
		case err != nil:
			found = append(found, findingsOf(err)...)
		case m == nil:
			found = append(found, Finding{File: name, Row: 1, Col: 1, Rule: "parse", Level: LevelError, Message: "the file is empty"})
		default:
			out[name] = m
		}
	}
	return out, found
}

// withLibrary returns texts together with the shipped modules that they
// reach through data.wattle.lib.<module>, directly or through one another.
func withLibrary(texts map[string]string) (map[string]string, Findings) {
	all := maps.Clone(texts)
	for pending := texts; len(pending) > 0; {
		parsed, found := parse(pending)
		if len(found) > 0 {
			return nil, found
		}
		pending = map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(parsed)) {
			for _, used := range libraryUses(parsed[name]) {
				file := path.Join("library", "lib", used+".rego")
				b, err := library.Files().ReadFile(path.Join("lib", used+".rego"))
				if err == nil && all[file] == "" {
					pending[file], all[file] = string(b), string(b)
				}
			}
		}
	}
	return all, nil
}

// libraryUses returns X of every reference data.wattle.lib.X.
func libraryUses(m *ast.Module) []string {
	var out []string
	ast.WalkRefs(m, func(r ast.Ref) bool {
		if p := constants(r); r[0].Equal(ast.DefaultRootDocument) && len(p) > 2 && p[0] == "wattle" && p[1] == "lib" {
			out = append(out, p[2])
		}
		return false
	})
	return out
}
