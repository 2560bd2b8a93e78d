// Package random draws portable pseudo-random numbers: the same seed gives the
// same bytes on every processor and with every version of Go.
//
// The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014, §5): eight bytes of state, so
// that every function of a run owns a stream of its own, and what one function
// draws never shifts what another one draws.
//
// The package brings its own Log, Exp, Cos and NormalQuantile. The ones of the
// standard library have assembly versions on some processors that differ in
// the last bit, and a compiler may fuse a·b+c into one rounding on others;
// every product here is rounded explicitly, which the language defines to
// forbid fusing.
package random

import "math/bits"

const (
	golden = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio, odd
	mul1   = 0xBF58476D1CE4E5B9
	mul2   = 0x94D049BB133111EB
)

// Stream is a sequence of random numbers. The zero value is a valid stream;
// copying one forks it. A Stream is not safe for concurrent use.
type Stream struct{ state uint64 }

// New returns the stream of a run's seed and a name, usually a function's
// identity, so that a stream depends on nothing else in the run.
func New(seed uint64, name string) Stream {
	return Stream{Mix(Mix(seed) ^ Hash(name))}
}

// At returns the stream's fork number n, without advancing the stream. Forks of
// different numbers are independent; trace readers fork per minute, so that a
// replay may start anywhere.
func (s Stream) At(n uint64) Stream { return Stream{Mix(s.state + (n+1)*golden)} }

// Uint64 returns the next 64 random bits.
func (s *Stream) Uint64() uint64 {
	s.state += golden
	return Mix(s.state)
}

// Float64 returns a number in the open interval (0, 1): a multiple of 2^-53
// plus 2^-54, hence never 0 and never 1.
func (s *Stream) Float64() float64 {
	return float64(float64(s.Uint64()>>11)*0x1p-53) + 0x1p-54
}

// Below returns a number in [0, n), and 0 for n = 0. The bias is under n/2^64.
func (s *Stream) Below(n uint64) uint64 {
	hi, _ := bits.Mul64(s.Uint64(), n)
	return hi
}

// Exponential returns a sample of the exponential distribution of mean 1.
func (s *Stream) Exponential() float64 { return -Log(s.Float64()) }

// Normal returns a sample of the standard normal distribution, by inversion:
// one draw each, so that paired runs stay paired.
func (s *Stream) Normal() float64 { return NormalQuantile(s.Float64()) }

// Lognormal returns a sample of the lognormal distribution of mean 1 whose
// logarithm has standard deviation sigma: exp(sigma·z − sigma²/2).
func (s *Stream) Lognormal(sigma float64) float64 {
	return Exp(float64(sigma*s.Normal()) - float64(0.5*float64(sigma*sigma)))
}

// Weibull returns a sample of the Weibull distribution of scale 1 and the given
// shape: (−ln u)^(1/shape). Its mean is Γ(1 + 1/shape).
func (s *Stream) Weibull(shape float64) float64 {
	return Exp(float64(Log(s.Exponential()) / shape))
}

// Mix is SplitMix64's finaliser: a bijection of 64 bits in which every input
// bit changes half of the output bits.
func Mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * mul1
	z = (z ^ (z >> 27)) * mul2
	return z ^ (z >> 31)
}

// Hash is 64-bit FNV-1a of a name (RFC 9923), finished by Mix.
func Hash[T string | []byte](name T) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return Mix(h)
}
