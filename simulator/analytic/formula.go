package analytic

import "math"

// ErlangB is the share of arrivals that c servers lose at an offered load of a
// Erlang (Erlang, 1917), by the stable recursion B(n) = aB/(n + aB).
func ErlangB(c int, a float64) float64 {
	b := 1.0
	for n := 1; n <= c; n++ {
		b = a * b / (float64(n) + float64(a*b))
	}
	return b
}

// ErlangC is the share of arrivals that wait in M/M/c.
func ErlangC(c int, a float64) float64 {
	b, rho := ErlangB(c, a), a/float64(c)
	return b / (1 - float64(rho*(1-b)))
}

// WaitMMC is the mean wait in M/M/c at arrival rate λ and mean service time s:
// C(c, λs)·s/(c − λs).
func WaitMMC(c int, rate, s float64) float64 {
	a := rate * s
	return ErlangC(c, a) * s / (float64(c) - a)
}

// WaitMD1 is the mean wait in M/D/1 (Pollaczek and Khinchine): ρs/(2(1 − ρ)).
func WaitMD1(rate, s float64) float64 {
	rho := rate * s
	return rho * s / (2 * (1 - rho))
}

// ColdPoisson is the share of cold starts of a Poisson stream with negligible
// service time under a renewed keep-alive of t seconds: e^(−λt).
func ColdPoisson(rate, t float64) float64 { return math.Exp(-rate * t) }

// IdlePoisson is the idle seconds per invocation there: (1 − e^(−λt))/λ.
func IdlePoisson(rate, t float64) float64 { return (1 - math.Exp(-rate*t)) / rate }

// LossMM1K is the share of arrivals that find k in a system of one server at an
// offered load of a ≠ 1, and are lost: (1 − a)·a^k/(1 − a^(k+1)).
func LossMM1K(a float64, k int) float64 {
	return (1 - a) * math.Pow(a, float64(k)) / (1 - math.Pow(a, float64(k+1)))
}

// WaitMG1 is the mean wait in M/G/1 whose service has mean s and squared
// coefficient of variation scv (Pollaczek and Khinchine): ρs(1 + scv)/(2(1 − ρ)).
func WaitMG1(rate, s, scv float64) float64 { return WaitMD1(rate, s) * (1 + scv) }
