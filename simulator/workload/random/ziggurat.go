package random

import "math"

// layers is the number of equal-area strips of a ziggurat.
const layers = 256

// Tables makes the exponential, normal and lognormal samples of hot loops: the
// ziggurat method of Marsaglia and Tsang (J. Stat. Soft. 5(8), 2000) with the
// full-width uniforms of Doornik (2005), three to five times faster than the
// inversion that Stream's own methods use. A Tables is immutable after
// NewTables, 4 KiB large and safe for concurrent use; share one per run.
type Tables struct {
	exponential, normal [layers + 1]float64
}

// NewTables computes the strips of both ziggurats.
func NewTables() *Tables {
	t := new(Tables)
	// Rightmost strip edge and area of one strip for 256 strips; the pair
	// solves the closing condition x[256] = 0.
	strips(&t.exponential, 7.69711747013104972, 0.0039496598225815571993,
		func(x float64) float64 { return Exp(-x) },
		func(y float64) float64 { return -Log(y) })
	strips(&t.normal, 3.6541528853610088, 0.00492867323399,
		bell,
		func(y float64) float64 { return math.Sqrt(float64(-2 * Log(y))) })
	return t
}

func bell(x float64) float64 { return Exp(float64(-0.5 * float64(x*x))) }

// strips fills the right edges x[0] > x[1] = r > … > x[layers] = 0, where
// x[0] is the width of a rectangle that has the area of the base strip with its tail.
func strips(x *[layers + 1]float64, r, area float64, f, inverse func(float64) float64) {
	x[0], x[1] = area/f(r), r
	for i := 2; i < layers; i++ {
		x[i] = inverse(area/x[i-1] + f(x[i-1]))
	}
	x[layers] = 0
}

// Exponential draws from s a sample of the exponential distribution of mean 1.
func (t *Tables) Exponential(s *Stream) float64 {
	bits := s.Uint64()
	i := bits % layers
	x := float64(float64(bits>>11) * 0x1p-53 * t.exponential[i])
	if x < t.exponential[i+1] {
		return x
	}
	return t.exponentialEdge(s, i, x)
}

func (t *Tables) exponentialEdge(s *Stream, i uint64, x float64) float64 {
	for {
		if i == 0 {
			return t.exponential[1] + s.Exponential() // the tail is exponential again
		}
		low, high := Exp(-t.exponential[i]), Exp(-t.exponential[i+1])
		if low+float64(s.Float64()*(high-low)) < Exp(-x) {
			return x
		}
		bits := s.Uint64()
		i = bits % layers
		x = float64(float64(bits>>11) * 0x1p-53 * t.exponential[i])
		if x < t.exponential[i+1] {
			return x
		}
	}
}

// Normal draws from s a sample of the standard normal distribution.
func (t *Tables) Normal(s *Stream) float64 {
	bits := s.Uint64()
	i := bits % layers
	x := float64(float64(bits>>11) * 0x1p-53 * t.normal[i])
	if x >= t.normal[i+1] {
		x = t.normalEdge(s, i, x)
	}
	return math.Float64frombits(math.Float64bits(x) | bits<<55&(1<<63)) // bit 8 is the sign
}

func (t *Tables) normalEdge(s *Stream, i uint64, x float64) float64 {
	for {
		if i == 0 {
			return t.normalTail(s)
		}
		low, high := bell(t.normal[i]), bell(t.normal[i+1])
		if low+float64(s.Float64()*(high-low)) < bell(x) {
			return x
		}
		bits := s.Uint64()
		i = bits % layers
		x = float64(float64(bits>>11) * 0x1p-53 * t.normal[i])
		if x < t.normal[i+1] {
			return x
		}
	}
}

// normalTail samples beyond the last strip (Marsaglia, Technometrics 6, 1964).
func (t *Tables) normalTail(s *Stream) float64 {
	r := t.normal[1]
	for {
		x := s.Exponential() / r
		if y := s.Exponential(); y+y > float64(x*x) {
			return r + x
		}
	}
}

// Lognormal draws a sample of the lognormal distribution of mean 1, as
// Stream.Lognormal does.
func (t *Tables) Lognormal(s *Stream, sigma float64) float64 {
	return Exp(float64(sigma*t.Normal(s)) - float64(0.5*float64(sigma*sigma)))
}
