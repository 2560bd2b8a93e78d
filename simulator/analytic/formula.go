package analytic

import (
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle/simulator/trace"
)

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

// WaitDM1 is the mean wait in D/M/1 at even gaps of 1/rate and mean service time
// s: σs/(1 − σ), where σ is the root below 1 of σ = e^(−(1 − σ)/(rate·s)).
func WaitDM1(rate, s float64) float64 {
	root := 0.0
	for range 1000 {
		root = math.Exp(-(1 - root) / (rate * s))
	}
	return root * s / (1 - root)
}

// PresentMM1K is the mean number in a system of one server with room for k at an
// offered load of a ≠ 1: a/(1 − a) − (k + 1)a^(k+1)/(1 − a^(k+1)).
func PresentMM1K(a float64, k int) float64 {
	full := math.Pow(a, float64(k+1))
	return a/(1-a) - float64(k+1)*full/(1-full)
}

// ColdMixture is the share of cold starts, as ColdPoisson, of independent gaps
// that are a mixture of exponentials.
func ColdMixture(m []Branch, t float64) (share float64) {
	for _, b := range m {
		share += float64(b.Share * ColdPoisson(b.Rate, t))
	}
	return share
}

// IdleMixture is the idle seconds per invocation where ColdMixture are cold.
func IdleMixture(m []Branch, t float64) (idle float64) {
	for _, b := range m {
		idle += float64(b.Share * IdlePoisson(b.Rate, t))
	}
	return idle
}

// WaitBatch is the mean wait in M/G/1 whose customers come in batches of b, at a
// rate of batches: that of a batch as one customer (Pollaczek and Khinchine) and
// of those of the batch that go before.
func WaitBatch(batches float64, b int, s, scv float64) float64 {
	n := float64(b)
	return WaitMG1(batches, n*s, scv/n) + (n-1)*s/2
}

// Found is the share of arrivals that find k in M/G/∞ at an offered load of a:
// a^k·e^(−a)/k!.
func Found(k int, a float64) float64 {
	p := math.Exp(-a)
	for i := 1; i <= k; i++ {
		p *= a / float64(i)
	}
	return p
}

// ColdOnce is the share of cold starts, as ColdPoisson, where uses do not renew
// the keep-alive: one of 1 + λt, for λt hits fall into each life.
func ColdOnce(rate, t float64) float64 { return 1 / (1 + float64(rate*t)) }

// Class is the offered load in Erlang of requests that take so many parts each.
type Class struct {
	Load float64
	Size int
}

// LossClasses is the share of each class that is lost where all share a number of
// parts and nobody waits: q(n)·n = Σ load·size·q(n − size) (Kaufman and Roberts,
// 1981).
func LossClasses(parts int, classes []Class) (lost []float64) {
	q, sum := make([]float64, parts+1), 0.0
	for n := range q {
		if n == 0 {
			q[0] = 1
		} else {
			for _, c := range classes {
				if c.Size <= n {
					q[n] += float64(c.Load*float64(c.Size)*q[n-c.Size]) / float64(n)
				}
			}
		}
		sum += q[n]
	}
	for _, c := range classes {
		p := 0.0
		for n := max(parts-c.Size+1, 0); n <= parts; n++ {
			p += q[n]
		}
		lost = append(lost, p/sum)
	}
	return lost
}

// Che is the share of requests that miss a cache of so many equal items, the least
// recent of which leaves, at independent requests with the given rates (Che, Tung
// and Wang, 2002): every item stays for the time t at which Σ (1 − e^(−λt)) is the
// size of the cache.
func Che(rates []float64, size int) float64 {
	low, high := 0.0, 1.0
	held := func(t float64) (n float64) {
		for _, r := range rates {
			n += 1 - math.Exp(-r*t)
		}
		return n
	}
	for held(high) < float64(size) {
		high *= 2
	}
	for range 200 {
		if mid := (low + high) / 2; held(mid) < float64(size) {
			low = mid
		} else {
			high = mid
		}
	}
	missed, all := 0.0, 0.0
	for _, r := range rates {
		missed += float64(r * math.Exp(-r*low))
		all += r
	}
	return missed / all
}

// Recursion is what arrivals, first come first served by so many servers, wait: each
// begins when the first of them is free (Lindley, 1952; Kiefer and Wolfowitz, 1955).
// Their services are mean seconds by their scales, cut to ns. It returns the mean
// wait and the longest time in the system, in seconds.
func Recursion(arrivals []trace.Arrival, mean float64, servers int) (wait, longest float64) {
	free, sum, most := make([]int64, servers), 0.0, int64(0)
	for _, a := range arrivals {
		begin := max(a.At, free[0])
		sum += float64(begin - a.At)
		free[0] = begin + trace.Lasts(seconds(mean), a.Scale)
		most = max(most, free[0]-a.At)
		slices.Sort(free)
	}
	return sum / 1e9 / float64(len(arrivals)), time.Duration(most).Seconds()
}
