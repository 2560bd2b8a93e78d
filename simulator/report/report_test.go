package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update accepts it):\n%s", path, got)
	}
}

func TestSketch(t *testing.T) {
	var b bytes.Buffer
	if err := Table(&b, full(24)); err != nil {
		t.Fatal(err)
	}
	s := fixtureSample()
	if err := Explain(&b, &s); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
}

func TestPages(t *testing.T) {
	dir := os.Getenv("WATTLE_PAGES")
	if dir == "" {
		t.Skip("set WATTLE_PAGES to a folder to write sample pages into it")
	}
	for name, d := range map[string]*Document{"full": full(24), "minimal": minimal(24), "long": full(288)} {
		var b bytes.Buffer
		if err := HTML(&b, d); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".html"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
