package disaggregate

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// TestKalmanIsRidgeRegression: without drift the filter's mean and covariance
// are those of batch regularised least squares.
func TestKalmanIsRidgeRegression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "unknowns")
		rows := rapid.IntRange(1, 30).Draw(t, "steps")
		var k kalman
		info, right := mat.NewDense(n, n, nil), mat.NewVecDense(n, nil)
		for i := range n {
			k.grow(5, 100)
			info.Set(i, i, 0.01)
			right.SetVec(i, 0.05)
		}
		for range rows {
			var row []term
			for i := range n {
				if v := rapid.Float64Range(0, 3).Draw(t, "b"); v > 0.5 {
					row = append(row, term{i, v})
				}
			}
			y, r := rapid.Float64Range(-20, 60).Draw(t, "y"), rapid.Float64Range(0.1, 10).Draw(t, "r")
			guess, spread := k.project(row)
			k.correct(y-guess, spread+r)
			for _, a := range row {
				right.SetVec(a.col, right.AtVec(a.col)+a.b*y/r)
				for _, b := range row {
					info.Set(a.col, b.col, info.At(a.col, b.col)+a.b*b.b/r)
				}
			}
		}
		var p mat.Dense
		if err := p.Inverse(info); err != nil {
			t.Skip("ill-conditioned")
		}
		var m mat.VecDense
		m.MulVec(&p, right)
		for i := range n {
			if math.Abs(k.m[i]-m.AtVec(i)) > 1e-6*(1+math.Abs(m.AtVec(i))) {
				t.Fatalf("mean %d is %g, batch gives %g", i, k.m[i], m.AtVec(i))
			}
			for j := range n {
				if math.Abs(k.row(i)[j]-p.At(i, j)) > 1e-6*math.Sqrt(p.At(i, i)*p.At(j, j)) || k.row(i)[j] != k.row(j)[i] {
					t.Fatalf("covariance %d,%d is %g, batch gives %g", i, j, k.row(i)[j], p.At(i, j))
				}
			}
		}
	})
}

// TestClipIsNonNegativeLeastSquares compares with the best of all 2ⁿ sets of
// unknowns held at 0.
func TestClipIsNonNegativeLeastSquares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "unknowns")
		var k kalman
		for range n {
			k.grow(rapid.Float64Range(-5, 5).Draw(t, "mean"), 1)
		}
		for range n { // correlate
			row := make([]term, n)
			for i := range n {
				row[i] = term{i, rapid.Float64Range(-1, 1).Draw(t, "b")}
			}
			_, spread := k.project(row)
			k.correct(0, spread+rapid.Float64Range(0.3, 3).Draw(t, "r"))
		}
		for range 60 {
			k.clip()
		}
		p := mat.NewDense(n, n, nil)
		for i := range n {
			for j := range n {
				p.Set(i, j, k.row(i)[j])
			}
		}
		var info mat.Dense
		if err := info.Inverse(p); err != nil {
			t.Skip("ill-conditioned")
		}
		got, best := distance(&info, k.x, k.m), bestOf(&info, k.m)
		for i, x := range k.x {
			if x < -1e-4 {
				t.Fatalf("x[%d] = %g is negative", i, x)
			}
		}
		if got > best+1e-3*(1+best) {
			t.Fatalf("distance %g, the best non-negative point has %g", got, best)
		}
	})
}

func distance(info *mat.Dense, x, m []float64) float64 {
	d := mat.NewVecDense(len(x), nil)
	for i := range x {
		d.SetVec(i, x[i]-m[i])
	}
	return mat.Inner(d, info, d)
}

// bestOf solves for every choice of unknowns that are free.
func bestOf(info *mat.Dense, m []float64) float64 {
	n, best := len(m), math.Inf(1)
	for set := range 1 << n {
		var free []int
		for i := range n {
			if set>>i&1 == 1 {
				free = append(free, i)
			}
		}
		x := make([]float64, n)
		if len(free) > 0 { // A_ff x_f = (A m)_f
			a, b := mat.NewDense(len(free), len(free), nil), mat.NewVecDense(len(free), nil)
			for r, i := range free {
				for c, j := range free {
					a.Set(r, c, info.At(i, j))
				}
				for j := range n {
					b.SetVec(r, b.AtVec(r)+info.At(i, j)*m[j])
				}
			}
			var s mat.VecDense
			if s.SolveVec(a, b) != nil {
				continue
			}
			for r, i := range free {
				x[i] = s.AtVec(r)
			}
		}
		ok := true
		for _, v := range x {
			ok = ok && v >= -1e-9
		}
		if ok {
			best = math.Min(best, distance(info, x, m))
		}
	}
	return best
}
