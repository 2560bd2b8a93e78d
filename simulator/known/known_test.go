package known

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

// Without data every case is met or named as skipped.
func TestCasesWithoutData(t *testing.T) {
	var out strings.Builder
	p := NewPrinter(&out)
	if err := Run(context.Background(), "", func(c Case) bool { p.Add(c); return true }); err != nil {
		t.Fatal(err)
	}
	failed, err := p.Close()
	if err != nil || failed > 0 || p.passed < 10 || p.skipped == 0 {
		t.Errorf("%d failed, %d passed, %d skipped (%v):\n%s", failed, p.passed, p.skipped, err, out.String())
	}
}

func TestPublishedCases(t *testing.T) {
	dir := os.Getenv("WATTLE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(archive(dir)); err != nil {
		t.Skip("the published data is not here: set WATTLE_DATA to its directory")
	}
	for _, group := range []func(context.Context, string, func(Case) bool) bool{ecolife, shifting, workflows} {
		group(context.Background(), dir, func(c Case) bool {
			if !c.Pass() {
				t.Errorf("%s: %s: got %g, want %g ± %g (%v, skipped %q)", c.Group, c.Name, c.Got, c.Expected, c.Tolerance, c.Err, c.Skipped)
			}
			return true
		})
	}
}

func TestACaseCanFail(t *testing.T) {
	for _, c := range []Case{{Expected: 1, Got: 1.2, Tolerance: 0.1}, {Expected: 1, Got: 0.8, Tolerance: 0.1}, {Expected: 1, Got: 1.2, Most: true}, {Skipped: "no data"}, {Err: os.ErrNotExist}} {
		if c.Pass() {
			t.Errorf("%+v passes", c)
		}
	}
	y, err := newYear(time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC), []wattle.GramsPerKWh{5, 1, 9, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := y.shift(0, 2, 3); got != [3]float64{6, 2, 2} {
		t.Errorf("shift: %v", got)
	}
}
