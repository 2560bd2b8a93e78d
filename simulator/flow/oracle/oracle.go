// Package oracle puts linear programs to the solvers of others, for tests to
// compare our own with: gonum's simplex, and GLPK where it is installed.
package oracle

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// Program is a linear program in its plainest form: minimise Cost·x under rows,
// and x ≥ 0.
type Program struct {
	Cost  []float64
	rows  [][]float64
	equal []bool
	limit []float64
}

// Row demands coefficients·x = limit, or ≤ limit if it need not be equal.
// Coefficients beyond the last are 0.
func (p *Program) Row(coefficients []float64, equal bool, limit float64) {
	p.rows, p.equal, p.limit = append(p.rows, coefficients), append(p.equal, equal), append(p.limit, limit)
}

// patience is how long the simplex may take: it has no rule against cycling, and
// on some programs it cycles.
const patience = time.Second

// Simplex solves p by gonum to a tolerance; false where it is infeasible or the
// simplex gives up.
func (p *Program) Simplex(tolerance float64) (value float64, ok bool) {
	n, slack := len(p.Cost), 0
	for _, e := range p.equal {
		if !e {
			slack++
		}
	}
	a := mat.NewDense(len(p.rows), n+slack, nil)
	s := n
	for i, r := range p.rows {
		for j, v := range r {
			a.Set(i, j, v)
		}
		if !p.equal[i] {
			a.Set(i, s, 1)
			s++
		}
	}
	cost := append(append([]float64(nil), p.Cost...), make([]float64, slack)...)
	type answer struct {
		value float64
		ok    bool
	}
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if recover() != nil { // it panics where there are more rows than variables
				done <- answer{}
			}
		}()
		v, _, err := lp.Simplex(cost, a, p.limit, tolerance, nil)
		done <- answer{v, err == nil}
	}()
	select {
	case got := <-done:
		return got.value, got.ok
	case <-time.After(patience):
		return 0, false
	}
}

// Glpsol solves p by the tool that GLPK found, with files in dir; false where it is
// infeasible.
func (p *Program) Glpsol(t testing.TB, tool, dir string) (float64, bool) {
	sum := func(c []float64) (s string) {
		for j, v := range c {
			if v != 0 {
				s += fmt.Sprintf(" %+.17g x%d", v, j)
			}
		}
		if s == "" {
			s = " 0 x0"
		}
		return s
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Minimize\n obj:%s\nSubject To\n", sum(p.Cost))
	for i, r := range p.rows {
		fmt.Fprintf(&b, " r%d:%s %s %.17g\n", i, sum(r), map[bool]string{true: "=", false: "<="}[p.equal[i]], p.limit[i])
	}
	b.WriteString("End\n")
	in, out := filepath.Join(dir, "in.lp"), filepath.Join(dir, "out.txt")
	if err := os.WriteFile(in, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if log, err := exec.Command(tool, "--lp", in, "-w", out).CombinedOutput(); err != nil {
		t.Fatalf("glpsol: %v: %s", err, log)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if f := strings.Fields(string(line)); len(f) == 7 && f[0] == "s" && f[1] == "bas" {
			v, err := strconv.ParseFloat(f[6], 64)
			if err != nil {
				t.Fatal(err)
			}
			return v, f[4] == "f" && f[5] == "f"
		}
	}
	t.Fatalf("glpsol printed no solution:\n%s", text)
	return 0, false
}

// GLPK returns the path of glpsol or skips.
func GLPK(t testing.TB) string {
	tool, err := exec.LookPath("glpsol")
	if err != nil {
		t.Skip("glpsol (package glpk-utils) is not installed: gonum's simplex checks the same cases")
	}
	return tool
}

// Near reports whether a and b are the same to 1e-6, relative to 1 and to both.
func Near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-6*math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
}
