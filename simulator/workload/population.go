package workload

import (
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// Population describes many functions whose popularity follows Zipf's law.
type Population struct {
	// Functions is how many there are. Default 300.
	Functions int
	// Invocations is the expected total over Length. Default 1,200,000 in 24 h.
	Invocations float64
	Length      time.Duration
	// Zipf is the exponent s: the function of rank k gets a share ∝ k^−s. Azure's
	// popularity is near 1.1 to 1.3. Default 1.1; 0 makes all equal.
	Zipf float64
	// Mean execution times are lognormal over the functions, with median Exec and
	// spread ExecSigma. Default 400 ms and 1.3 (Azure 2019: half of the functions
	// run for under 670 ms on average; Shahrad et al., USENIX ATC 2020).
	Exec      time.Duration
	ExecSigma float64
	// Sigma is the lognormal spread of one function's execution times. Default 0.4.
	Sigma float64
	// Mix weighs the processes, in the order of their constants. Default: 40 %
	// Poisson, 20 % MMPP, 25 % diurnal, 15 % timer.
	Mix [5]float64
	// Zones are the offsets from UTC that diurnal functions are drawn from, with
	// equal chance. Default: only UTC.
	Zones []time.Duration
	// Prefix begins every function's ID; the rank follows. Default "f".
	Prefix string
}

// DefaultPopulation returns the defaults that the fields name.
func DefaultPopulation() Population {
	return Population{
		Functions: 300, Invocations: 1_200_000, Length: 24 * time.Hour, Zipf: 1.1,
		Exec: 400 * time.Millisecond, ExecSigma: 1.3, Sigma: 0.4,
		Mix: [5]float64{0.40, 0.20, 0.25, 0.15, 0}, Prefix: "f",
	}
}

// Validate says which field of p is unusable.
func (p *Population) Validate() error {
	sum := 0.0
	for i, w := range p.Mix {
		if !(w >= 0 && w < math.MaxFloat32) {
			return fmt.Errorf("workload: share %g of %s: want a number from 0", w, Process(i))
		}
		sum += w
	}
	switch {
	case p.Functions < 1 || p.Functions > 10_000_000:
		return fmt.Errorf("workload: %d functions: want 1 to 10,000,000", p.Functions)
	case !(p.Invocations >= 0 && p.Invocations <= 1e15):
		return fmt.Errorf("workload: %g invocations: want 0 to 1e15", p.Invocations)
	case p.Length <= 0:
		return fmt.Errorf("workload: length %s: want more than 0", p.Length)
	case !(p.Zipf >= 0 && p.Zipf <= 5):
		return fmt.Errorf("workload: zipf exponent %g: want a number from 0 to 5", p.Zipf)
	case p.Exec <= 0 || p.Exec > 24*time.Hour:
		return fmt.Errorf("workload: exec %s: want more than 0 and at most a day", p.Exec)
	case !(p.ExecSigma >= 0 && p.ExecSigma <= 4) || !(p.Sigma >= 0 && p.Sigma <= 4):
		return fmt.Errorf("workload: exec sigma %g, sigma %g: want numbers from 0 to 4", p.ExecSigma, p.Sigma)
	case sum == 0:
		return fmt.Errorf("workload: the mix of processes is all 0: give at least one a share")
	}
	return nil
}

// Draw returns the Specs of the population, most popular first. What is drawn
// for one function depends on (seed, its ID) alone; its rate depends on the
// number of functions too, because the shares add up to 1.
func (p *Population) Draw(seed uint64) ([]Spec, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	share := make([]float64, p.Functions)
	sum := 0.0
	for i := range share {
		share[i] = random.Exp(float64(-p.Zipf * random.Log(float64(i+1))))
	}
	for i := len(share) - 1; i >= 0; i-- { // small ones first loses the fewest bits
		sum += share[i]
	}
	specs := make([]Spec, p.Functions)
	width := len(fmt.Sprint(p.Functions))
	for i := range specs {
		id := wattle.FunctionID(fmt.Sprintf("%s%0*d", p.Prefix, width, i+1))
		specs[i] = p.draw(random.New(seed, "population/"+string(id)), id)
		specs[i].Rate = float64(float64(p.Invocations*share[i])/sum) / p.Length.Seconds()
		if specs[i].Rate > maxRate {
			return nil, fmt.Errorf("workload: function %s would get %g invocations per second: lower the total or raise the number of functions", id, specs[i].Rate)
		}
	}
	return specs, nil
}

func (p *Population) draw(s random.Stream, id wattle.FunctionID) Spec {
	spec := DefaultSpec()
	exec := float64(float64(p.Exec) * random.Exp(float64(p.ExecSigma*s.Normal())))
	spec.Function = trace.Function{ID: id, Mean: max(time.Duration(exec), time.Microsecond), Sigma: p.Sigma}
	spec.Process = p.process(s.Float64())
	spec.Day.Peak = 10 + float64(8*s.Float64()) // office hours
	if n := uint64(len(p.Zones)); n > 0 {
		spec.Day.Zone = p.Zones[s.Below(n)]
	}
	return spec
}

// process returns the one in whose share of the Mix u in (0, 1) falls.
func (p *Population) process(u float64) Process {
	sum := 0.0
	for _, w := range p.Mix {
		sum += w
	}
	u = float64(u * sum)
	last := Poisson
	for i, w := range p.Mix {
		if w == 0 {
			continue
		}
		last = Process(i)
		if u -= w; u < 0 {
			break
		}
	}
	return last
}
