package disaggregate

import (
	"math"
	"testing"
)

// bound is what no unbiased estimate of powers from the given steps can beat:
// with noise σ_t known exactly, the covariance of weighted least squares,
// (Σ b_t·b_tᵀ/σ_t²)⁻¹ (Gauss and Markov; the Cramér–Rao bound for Gaussian
// noise). It returns the standard deviation of each function's power, in W.
func bound(t testing.TB, m *machine, steps []*Step) []float64 {
	t.Helper()
	n := len(m.fns) + 1 // and the control plane
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n)
	}
	for _, s := range steps {
		b, energy := make([]float64, n), m.idle+m.control*s.ControlPlane
		b[n-1] = s.ControlPlane
		for _, r := range s.Runs {
			i := indexOf(m, r)
			b[i] = r.WarmBusy
			energy += m.fns[i].watts * r.WarmBusy
		}
		sigma := m.noise * energy
		for i := range b {
			for j := range b {
				a[i][j] += b[i] * b[j] / (sigma * sigma)
			}
		}
	}
	out := make([]float64, len(m.fns))
	inverse := invert(t, a)
	for i := range out {
		out[i] = math.Sqrt(inverse[i][i])
	}
	return out
}

func indexOf(m *machine, r Run) int {
	for i := range m.fns {
		if m.fns[i].id == r.Function {
			return i
		}
	}
	return -1
}

// invert is Gauss and Jordan's elimination with pivots, of a small matrix.
func invert(t testing.TB, a [][]float64) [][]float64 {
	t.Helper()
	n := len(a)
	for i := range a {
		a[i] = append(a[i], make([]float64, n)...)
		a[i][n+i] = 1
	}
	for c := range n {
		p := c
		for r := c; r < n; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[p][c]) {
				p = r
			}
		}
		if a[c], a[p] = a[p], a[c]; a[c][c] == 0 {
			t.Fatal("the steps do not determine all powers")
		}
		for j := 2*n - 1; j >= c; j-- {
			a[c][j] /= a[c][c]
		}
		for r := range n {
			if f := a[r][c]; r != c && f != 0 {
				for j := range a[r] {
					a[r][j] -= f * a[c][j]
				}
			}
		}
	}
	for i := range a {
		a[i] = a[i][n:]
	}
	return a
}

// TestErrorIsNearTheBound tells poor data from a poor estimator: on the stated
// workload and where data is poor, the error is held against that of the best
// unbiased estimate, whose mean absolute error is √(2/π)·σ.
func TestErrorIsNearTheBound(t *testing.T) {
	for name, spoil := range map[string]func(*machine){
		"bursts":            func(*machine) {},
		"noise of idle too": func(m *machine) { m.idle = 30 },
		"steady load":       func(m *machine) { m.burst, m.quiet, m.low = 10, 5, 0.3 },
		"10 % noise":        func(m *machine) { m.noise = 0.10 },
	} {
		t.Run(name, func(t *testing.T) {
			best, got, n := 0.0, 0.0, 0.0
			for seed := range uint64(40) {
				m := newMachine(seed, 20, 0.05)
				spoil(m)
				f := mustNew(t, DefaultConfig())
				var steps []*Step
				for range 120 {
					s := m.step()
					steps = append(steps, s)
					if err := f.Update(s); err != nil {
						t.Fatal(err)
					}
				}
				es := byFunction(f)
				for i, sd := range bound(t, m, steps) {
					w := m.fns[i].watts
					best += math.Sqrt(2/math.Pi) * sd / w
					got += math.Abs(es[m.fns[i].id].Power.Value-w) / w
					n++
				}
			}
			t.Logf("MAPE %.2f %%, best unbiased estimate %.2f %%: ratio %.2f", 100*got/n, 100*best/n, got/best)
			if got > 1.15*best {
				t.Errorf("error is %.2f times that of the best unbiased estimate", got/best)
			}
		})
	}
}
