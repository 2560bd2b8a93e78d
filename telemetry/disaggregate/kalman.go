package disaggregate

import "math"

// kalman estimates a vector x of powers from scalar measurements y = bᵀx + noise.
// p is the full symmetric covariance, row by row with a fixed stride.
type kalman struct {
	n, stride int
	m         []float64 // mean
	p         []float64 // covariance
	dual      []float64 // multipliers of x ≥ 0
	x         []float64 // non-negative estimate
	g         []float64 // scratch: P·b
}

// term is one non-zero entry of a measurement row.
type term struct {
	col int
	b   float64
}

func (k *kalman) row(i int) []float64 { return k.p[i*k.stride : i*k.stride+k.n] }

// grow adds an unknown with the given prior and no correlation.
func (k *kalman) grow(mean, variance float64) int {
	if k.n == k.stride {
		k.restride(max(16, 2*k.stride))
	}
	i := k.n
	k.n++
	for j := range k.n {
		k.p[i*k.stride+j], k.p[j*k.stride+i] = 0, 0
	}
	k.p[i*k.stride+i] = variance
	k.m, k.x = append(k.m, mean), append(k.x, mean)
	k.dual, k.g = append(k.dual, 0), append(k.g, 0)
	return i
}

func (k *kalman) restride(stride int) {
	p := make([]float64, stride*stride)
	for i := range k.n {
		copy(p[i*stride:], k.row(i))
	}
	k.p, k.stride = p, stride
}

// replace makes unknown i a new one. Dropping a row and column of a covariance
// is exact marginalisation.
func (k *kalman) replace(i int, mean, variance float64) {
	for j := range k.n {
		k.p[i*k.stride+j], k.p[j*k.stride+i] = 0, 0
	}
	k.p[i*k.stride+i] = variance
	k.m[i], k.x[i], k.dual[i] = mean, mean, 0
}

// predict lets unknown i drift by variance q, up to a limit: what was learned
// fades, but never below what the prior says.
func (k *kalman) predict(i int, q, limit float64) {
	if d := &k.p[i*k.stride+i]; *d < limit {
		*d = math.Min(*d+q, limit)
	}
}

// project computes P·b into g and returns the predicted y and bᵀPb.
func (k *kalman) project(row []term) (y, spread float64) {
	clear(k.g)
	for _, t := range row {
		y += float64(t.b * k.m[t.col])
		for j, v := range k.row(t.col) { // symmetric: a row is a column
			k.g[j] += float64(v * t.b)
		}
	}
	for _, t := range row {
		spread += float64(t.b * k.g[t.col])
	}
	return y, spread
}

// correct takes in a measurement whose g is computed: innovation e = y − bᵀm
// with variance s. The same product is subtracted from both halves, so that P
// stays exactly symmetric.
func (k *kalman) correct(e, s float64) {
	inv := 1 / math.Sqrt(s)
	for i := range k.g {
		k.m[i] += float64(k.g[i] * float64(e/s))
	}
	for i := range k.g {
		k.g[i] *= inv
	}
	for i, gi := range k.g {
		if gi == 0 {
			continue
		}
		r := k.row(i)
		for j, gj := range k.g[:len(r)] {
			r[j] -= float64(gi * gj)
		}
		if r[i] < tiny {
			r[i] = tiny
		}
	}
}

// tiny keeps variances positive against rounding.
const tiny = 1e-12

// sweeps bounds the coordinate descent of one update; the multipliers are kept
// for the next one, so that it converges over a few updates at worst.
const sweeps = 8

// clip sets x to the point of the non-negative orthant nearest to m in the
// metric of P⁻¹. The dual of that problem is min ½λᵀPλ + mᵀλ over λ ≥ 0, with
// x = m + Pλ; Hildreth's method solves it one multiplier at a time.
func (k *kalman) clip() {
	copy(k.x, k.m)
	for i, l := range k.dual {
		if l != 0 {
			k.push(i, l)
		}
	}
	for range sweeps {
		moved := false
		for i := range k.n {
			if k.x[i] >= 0 && k.dual[i] == 0 {
				continue
			}
			l := math.Max(0, k.dual[i]-k.x[i]/k.p[i*k.stride+i])
			if d := l - k.dual[i]; d != 0 {
				moved = moved || math.Abs(d)*k.p[i*k.stride+i] > 1e-6
				k.dual[i] = l
				k.push(i, d)
			}
		}
		if !moved {
			return
		}
	}
}

// push adds d times column i of P to x.
func (k *kalman) push(i int, d float64) {
	for j, v := range k.row(i) {
		k.x[j] += float64(v * d)
	}
}
