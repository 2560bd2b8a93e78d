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
