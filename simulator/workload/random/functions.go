package random

import "math"

// Log returns the natural logarithm of x, for finite x > 0, to within 2 ulp.
// It reduces x to m·2^k with m in [√½, √2) and evaluates 2·atanh((m−1)/(m+1))
// by its Taylor series in two interleaved halves.
func Log(x float64) float64 {
	bits := math.Float64bits(x)
	k := int(bits>>52) - 1023
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52)
	if k == -1023 { // subnormal
		f, e := math.Frexp(x)
		m, k = float64(f*2), e-1
	}
	if m >= math.Sqrt2 {
		m, k = float64(m*0.5), k+1
	}
	f := m - 1
	s := f / (2 + f)
	z := float64(s * s)
	w := float64(z * z)
	odd := horner5(w, 1./3, 1./7, 1./11, 1./15, 1./19)
	even := horner5(w, 1./5, 1./9, 1./13, 1./17, 1./21)
	series := float64(z * (odd + float64(z*even)))
	// ln m = 2s(1 + series); the leading term is kept as f − s·f to lose no bits.
	lnM := f - float64(s*(f-float64(2*series)))
	const hi, lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10 // ln 2 in two parts
	return float64(float64(k)*hi) + (lnM + float64(float64(k)*lo))
}

func horner5(x, a, b, c, d, e float64) float64 {
	v := float64(x*e) + d
	v = float64(x*v) + c
	v = float64(x*v) + b
	return float64(x*v) + a
}

// Exp returns e^x to within 2 ulp, 0 below −745 and +Inf above 709.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709:
		return math.Inf(1)
	case x < -745:
		return 0
	}
	const hi, lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	k := math.Floor(float64(x*(1/math.Ln2)) + 0.5)
	r := (x - float64(k*hi)) - float64(k*lo) // |r| ≤ ln2/2
	z := float64(r * r)
	// Taylor series of e^r in even and odd halves, to r^13/13!.
	even := horner7(z, 1, 1./2, 1./24, 1./720, 1./40320, 1./3628800, 1./479001600)
	odd := horner7(z, 1, 1./6, 1./120, 1./5040, 1./362880, 1./39916800, 1./6227020800)
	v := even + float64(r*odd)
	if k < -1021 || k > 1022 {
		return math.Ldexp(v, int(k))
	}
	return float64(v * math.Float64frombits(uint64(int64(k)+1023)<<52))
}

func horner7(x, a, b, c, d, e, f, g float64) float64 {
	v := float64(x*g) + f
	v = float64(x*v) + e
	return horner5(x, a, b, c, d, v)
}

// Cos returns the cosine of a number of whole turns: Cos(0.25) = 0.
func Cos(turns float64) float64 {
	t := turns - math.Floor(turns)
	if t > 0.5 {
		t = 1 - t
	}
	sign := 1.0
	if t > 0.25 {
		t, sign = 0.5-t, -1
	}
	x := float64(2 * math.Pi * t) // in [0, π/2]
	z := float64(x * x)
	tail := horner7(z, 1./3628800, -1./479001600, 1./87178291200, -1./20922789888000, 1./6402373705728000, 0, 0)
	head := horner5(z, 1, -1./2, 1./24, -1./720, 1./40320)
	z5 := float64(float64(float64(z*z)*float64(z*z)) * z)
	return float64(sign * (head - float64(z5*tail)))
}

// Gamma1p returns Γ(1 + x) for x in [0, 100] to 1e-12 relative: the mean of a
// Weibull distribution of scale 1 and shape k is Gamma1p(1/k). It shifts the
// argument up by the recurrence and uses Stirling's series.
func Gamma1p(x float64) float64 {
	y, divisor := 1+x, 1.0
	for y < 16 {
		divisor = float64(divisor * y)
		y++
	}
	i := 1 / y
	z := float64(i * i)
	series := float64(i * horner5(z, 1./12, -1./360, 1./1260, -1./1680, 1./1188))
	const halfLnTau = 0.91893853320467274178
	ln := (float64((y-0.5)*Log(y)) - y) + (halfLnTau + series)
	return Exp(ln) / divisor
}
