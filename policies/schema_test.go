package policies

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite schemas/*.json and golden files")

func TestSchemasAreFresh(t *testing.T) {
	for name, p := range map[string]*property{"schemas/input.json": describeInput(), "schemas/output.json": describeOutput()} {
		want, err := encodeSchema(p)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale (%v): run go test ./policies -run TestSchemasAreFresh -update", name, err)
		}
	}
}
