package library

import (
	"io/fs"
	"strings"
	"testing"
)

// TestEveryPolicyHasTestsAndADocument keeps the library's promise; package
// policies runs the Rego tests.
func TestEveryPolicyHasTestsAndADocument(t *testing.T) {
	names, err := fs.Glob(Files(), "*.rego")
	if err != nil || len(names) < 16 {
		t.Fatalf("%v %v", names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		if _, err := fs.Stat(Files(), strings.TrimSuffix(name, ".rego")+"_test.rego"); err != nil {
			t.Errorf("%s has no tests: %v", name, err)
		}
		if !strings.HasPrefix(string(text), "# ") || !strings.Contains(string(text), "# Example: ") {
			t.Errorf("%s does not say what it does, with an example", name)
		}
	}
}
