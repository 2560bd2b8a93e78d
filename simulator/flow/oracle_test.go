package flow

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

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// program is a linear program in its plainest form, for solvers of others:
// minimise cost·x under rows·x (=, ≤) limit and x ≥ 0.
type program struct {
	cost  []float64
	rows  [][]float64
	equal []bool
	limit []float64
}

func (p *program) row(coefficients []float64, equal bool, limit float64) {
	p.rows, p.equal, p.limit = append(p.rows, coefficients), append(p.equal, equal), append(p.limit, limit)
}

// simplex solves p by gonum's simplex; false where it is infeasible or the
// simplex gives up.
func (p *program) simplex() (value float64, ok bool) {
	defer func() {
		if recover() != nil { // it panics where there are more rows than variables
			value, ok = 0, false
		}
	}()
	n, slack := len(p.cost), 0
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
	v, _, err := lp.Simplex(append(append([]float64(nil), p.cost...), make([]float64, slack)...), a, p.limit, 1e-11, nil)
	return v, err == nil
}

// glpsol solves p by GLPK, which must be installed; false where it is infeasible.
func (p *program) glpsol(t testing.TB, tool, dir string) (float64, bool) {
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
	fmt.Fprintf(&b, "Minimize\n obj:%s\nSubject To\n", sum(p.cost))
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

// glpk returns the path of glpsol or skips.
func glpk(t testing.TB) string {
	tool, err := exec.LookPath("glpsol")
	if err != nil {
		t.Skip("glpsol (package glpk-utils) is not installed: gonum's simplex checks the same cases")
	}
	return tool
}

func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-6*math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
}
