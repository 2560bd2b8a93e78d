package experiment

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/experiment.md")

const referenceFile = "../../../../docs/experiment.md"

func TestReferenceIsFresh(t *testing.T) {
	var b strings.Builder
	if err := Reference(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(referenceFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(referenceFile)
	if err != nil || string(have) != b.String() {
		t.Errorf("docs/experiment.md is not what the code says: run \"make docs\" (%v)", err)
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	for _, e := range Entries() {
		if e.Doc == "" || e.Type == "" {
			t.Errorf("%s has no documentation", e.Path)
		}
	}
	if len(Entries()) < 100 {
		t.Errorf("only %d keys are listed", len(Entries()))
	}
}
