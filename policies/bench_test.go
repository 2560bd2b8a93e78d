package policies

import (
	"fmt"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

// judging is a policy with a denial on slow attributes and a score on a column.
const judging = `package wattle.placement

import data.wattle.lib.residency

deny := residency.deny

score := input.candidate.embodied_ug

objective := {"carbon_permille": 1000, "ug_per_s": 500}

limits := {"p95_over_home_permille": 1100, "cost_over_cheapest_permille": 1050}
`

// batchOf returns n candidates on as many targets.
func batchOf(n int) (*wattle.Function, *wattle.Params, []wattle.Attributes, *wattle.Columns) {
	f := &wattle.Function{ID: "resize", Tenant: "acme", Class: "interactive", TrustGroup: "internal", Residency: []string{"EU", "CH"}, Home: "home", Concurrency: 1}
	attrs := make([]wattle.Attributes, n)
	c := new(wattle.Columns)
	c.Reset(n)
	for i := range n {
		attrs[i] = wattle.Attributes{
			Target: wattle.TargetID(fmt.Sprintf("cluster-%d/pool", i)), Cluster: wattle.ClusterID(fmt.Sprintf("cluster-%d", i)),
			Zone: "FR", Jurisdiction: []string{"EU", "US", "CH"}[i%3],
			Accelerator: wattle.Accelerator{Vendor: "nvidia", Product: "A100", Sharing: wattle.SharingMIG},
		}
		c.Target[i], c.Isolation[i] = int32(i), wattle.IsolationMIG
		c.P95[i], c.Carbon[i], c.Embodied[i] = time.Duration(i)*time.Millisecond, wattle.GramsCO2e(i)/1e6, wattle.GramsCO2e(i)/1e6
	}
	return f, &wattle.Params{SLO: time.Second}, attrs, c
}

func benchEngine(b testing.TB) *Engine {
	e, err := Compile("judging", map[string]string{"p.rego": judging}, DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func BenchmarkCached(b *testing.B) {
	for _, n := range []int{20, 40} {
		b.Run(fmt.Sprintf("candidates=%d", n), func(b *testing.B) {
			e := benchEngine(b)
			f, p, attrs, c := batchOf(n)
			var v wattle.Verdicts
			v.Reset(n)
			b.ReportAllocs()
			for b.Loop() {
				e.Intent(f, p)
				e.Judge(f, p, attrs, c, &v)
			}
		})
	}
}

func BenchmarkCachedLibrary(b *testing.B) {
	for _, name := range LibraryNames() {
		b.Run(name, func(b *testing.B) {
			e, err := Library(name, DefaultConfig())
			if err != nil {
				b.Fatal(err)
			}
			f, p, attrs, c := batchOf(20)
			var v wattle.Verdicts
			v.Reset(20)
			b.ReportAllocs()
			for b.Loop() {
				e.Intent(f, p)
				e.Judge(f, p, attrs, c, &v)
			}
		})
	}
}

// BenchmarkUncached evaluates deny and score of 20 candidates that were never
// seen: 20 distinct scores and 3 distinct denials.
func BenchmarkUncached(b *testing.B) {
	e := benchEngine(b)
	f, p, attrs, c := batchOf(20)
	var v wattle.Verdicts
	v.Reset(20)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Residency = []string{"EU", fmt.Sprint(i)} // a new class for deny
		for j := range c.Embodied {
			c.Embodied[j] = wattle.GramsCO2e(20*i+j) / 1e6 // new rows for score
		}
		e.Judge(f, p, attrs, c, &v)
	}
	b.ReportMetric(float64(e.Stats().Evaluations)/float64(b.N), "evaluations/op")
}

func BenchmarkSetData(b *testing.B) {
	e, err := Library("business_hours_gpu", DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	zones := map[wattle.ZoneID]*time.Location{}
	for i := range 20 {
		zones[wattle.ZoneID(fmt.Sprint("Z", i))] = time.UTC
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := e.SetData(ClockData(time.Unix(int64(i)*3600, 0), zones), uint64(i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Library("regulated", DefaultConfig()); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCachedDoesNotAllocate(t *testing.T) {
	for _, name := range append(LibraryNames(), "") {
		e := benchEngine(t)
		if name != "" {
			var err error
			if e, err = Library(name, DefaultConfig()); err != nil {
				t.Fatal(err)
			}
		}
		f, p, attrs, c := batchOf(40)
		var v wattle.Verdicts
		v.Reset(40)
		if n := testing.AllocsPerRun(200, func() { e.Intent(f, p); e.Judge(f, p, attrs, c, &v) }); n != 0 {
			t.Errorf("%s: a cached decision allocates %g times", name, n)
		}
	}
}
