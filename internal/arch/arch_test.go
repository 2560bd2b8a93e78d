package arch

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// checks by the name of their fixture in testdata.
func checks() map[string]func(*Tree) []Finding {
	return map[string]func(*Tree) []Finding{
		"layers": CheckLayers, "reach": CheckReach, "purity": CheckPurity, "globals": CheckGlobals,
		"shape": CheckShape, "docs": CheckDocs, "unfinished": CheckUnfinished, "words": CheckWords,
	}
}

// TestProject holds the project to every rule.
func TestProject(t *testing.T) {
	tree := project(t)
	for name, check := range checks() {
		t.Run(name, func(t *testing.T) {
			for _, f := range check(tree) {
				t.Error(f)
			}
		})
	}
	if n := tree.Functions(); len(n) > 0 {
		t.Logf("%d functions: median %d lines, 99th percentile %d, longest %d", len(n), n[len(n)/2], n[len(n)*99/100], n[len(n)-1])
	}
}

func project(t *testing.T) *Tree {
	t.Helper()
	tree, err := Load(os.DirFS(filepath.Join("..", "..")))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Packages) < 5 || tree.Packages[0].Dir != "." {
		t.Fatalf("found only %d packages: the walk does not see the project", len(tree.Packages))
	}
	return tree
}

// TestCoreClosure pins what the decision core is made of.
func TestCoreClosure(t *testing.T) {
	own, third := project(t).Reach(CorePackages()...)
	got := fmt.Sprintf("# What %s import, over any number of steps.\nown: %s\nthird-party: %s\n", strings.Join(CorePackages(), ", "), list(own), list(third))
	path := filepath.Join("testdata", "core-closure.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the core imports something else than before (go test ./internal/arch -update accepts it):\n%s", got)
	}
}

// TestChecksCanFail runs each check on a small module that breaks its rule and
// compares what it says with the file "want" beside it.
func TestChecksCanFail(t *testing.T) {
	for name, check := range checks() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+".txtar")
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tree, want := unpack(t, a)
			var got strings.Builder
			for _, f := range check(tree) {
				fmt.Fprintln(&got, masked(f.String()))
			}
			if got.Len() == 0 {
				t.Fatal("the check finds nothing in a module made to break it")
			}
			if *update {
				want.Data = []byte(got.String())
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got.String() != string(want.Data) {
				t.Errorf("got:\n%swant:\n%s", got.String(), want.Data)
			}
		})
	}
}

// masked hides the words that may stand nowhere, this archive included.
func masked(s string) string {
	for _, w := range foreignWords() {
		s = strings.ReplaceAll(s, w, w[:3]+"SPLIT"+w[3:])
	}
	return s
}

// unpack makes a tree of the archive. "LONG n" in a file stands for n lines
// and "SPLIT" for nothing, so that forbidden words need not stand in the archive.
func unpack(t *testing.T, a *txtar.Archive) (*Tree, *txtar.File) {
	t.Helper()
	files, want := fstest.MapFS{}, &txtar.File{}
	for i := range a.Files {
		f := &a.Files[i]
		if f.Name == "want" {
			want = f
			continue
		}
		var out []string
		for _, l := range strings.Split(strings.ReplaceAll(string(f.Data), "SPLIT", ""), "\n") {
			n := 0
			if _, err := fmt.Sscanf(strings.TrimSpace(l), "LONG %d", &n); err == nil {
				l = strings.TrimSuffix(strings.Repeat("\t_ = 1\n", n), "\n")
			}
			out = append(out, l)
		}
		files[f.Name] = &fstest.MapFile{Data: []byte(strings.Join(out, "\n")), Mode: 0o644}
	}
	tree, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return tree, want
}

func TestTableIsSound(t *testing.T) {
	layer := map[string]int{}
	for _, r := range Layers() {
		if _, twice := layer[r.Package]; twice {
			t.Errorf("two rows speak of %s", r.Package)
		}
		layer[r.Package] = r.Layer
	}
	for _, r := range Layers() {
		for _, o := range r.Own {
			to, ok := rowOf(strings.TrimSuffix(o, "/*"))
			if o != "*" && ok && to.Layer > r.Layer {
				t.Errorf("row %s of layer %d may import %s of layer %d, which lies above it", r.Package, r.Layer, o, to.Layer)
			}
		}
	}
	for dir, want := range map[string]string{
		".": ".", "simulator": "simulator", "simulator/baseline": "simulator/*", "simulator/report": "simulator/report",
		"simulator/trace/tabular": "simulator/trace/*", "telemetry/grid": "telemetry/*", "cmd/wattle": "cmd/*", "cmd/wattle/internal/x": "cmd/*",
	} {
		if r, ok := rowOf(dir); !ok || r.Package != want {
			t.Errorf("%s falls under row %q, want %q", dir, r.Package, want)
		}
	}
}

func TestLoadSaysWhichFileDoesNotParse(t *testing.T) {
	_, err := Load(fstest.MapFS{"a.go": {Data: []byte("package")}})
	if err == nil || !strings.Contains(err.Error(), "a.go") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(os.DirFS("nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
