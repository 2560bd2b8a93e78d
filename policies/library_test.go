package policies

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/format"
)

func TestLibraryPasses(t *testing.T) {
	missedBy := map[string]int{} // lines of shipped parts, by the runs that missed them
	runsOf := map[string]int{}
	for _, name := range LibraryNames() {
		t.Run(name, func(t *testing.T) {
			src, err := LibrarySource(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range Check(src, DefaultConfig()) {
				t.Error(f)
			}
			var out bytes.Buffer
			report, err := RunTests(t.Context(), src, DefaultConfig(), TestOptions{Coverage: true, Threshold: 100}, &out)
			if err != nil || report.Passed < 3 {
				t.Errorf("%v\n%s", err, out.String())
			}
			for _, place := range report.parts {
				missedBy[place]++
			}
			for _, file := range parts(t, src) {
				runsOf[file]++
			}
			for file, text := range src.Modules {
				if got, err := format.Source(file, []byte(text)); err != nil || string(got) != text {
					t.Errorf("%s is not formatted: %v", file, err)
				}
			}
		})
	}
	for place, n := range missedBy {
		if file, _, _ := strings.Cut(place, ":"); n == runsOf[file] {
			t.Errorf("%s is covered by no policy's tests", place)
		}
	}
}

// parts lists the shipped parts that a policy imports.
func parts(t *testing.T, src Source) []string {
	all, found := withLibrary(src.Modules)
	if len(found) > 0 {
		t.Fatal(found)
	}
	maps.DeleteFunc(all, func(name, _ string) bool { return src.Modules[name] != "" })
	return slices.Collect(maps.Keys(all))
}
