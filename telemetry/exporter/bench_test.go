//go:build unix

package exporter_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

// busy is a node with n functions in n/50 namespaces: active and idle energy of
// packages and memory, warm and cold invocations, two kinds of emissions; 8
// series for each function.
func busy(n int) *exporter.Snapshot {
	r := rand.New(rand.NewPCG(1, 2))
	s := whole()
	for i := range n {
		namespace, name := fmt.Sprintf("team-%02d", i/50), fmt.Sprintf("checkout-handler-%04d", i)
		for _, c := range []wattle.Component{wattle.Package, wattle.DRAM} {
			for _, share := range []exporter.Share{exporter.Active, exporter.Idle} {
				s.Functions = append(s.Functions, exporter.FunctionEnergy{Namespace: namespace, Function: name, Component: c, Share: share, Energy: wattle.Microjoules(r.Int64N(1e11))})
			}
		}
		for _, start := range []exporter.Start{exporter.Warm, exporter.Cold} {
			s.Finished = append(s.Finished, exporter.Invocations{Namespace: namespace, Function: name, Start: start, Count: 1 + r.Uint64N(9), Energy: wattle.Joules(r.ExpFloat64())})
		}
		for _, scope := range []exporter.Scope{exporter.Operational, exporter.Embodied} {
			s.FunctionEmissions = append(s.FunctionEmissions, exporter.FunctionEmissions{Namespace: namespace, Function: name, Scope: scope, Total: wattle.GramsCO2e(1e4 * r.Float64())})
		}
	}
	return s
}

// advance makes every total of s move.
func advance(s *exporter.Snapshot) {
	s.At = s.At.Add(time.Second)
	for i := range s.Functions {
		s.Functions[i].Energy += 1_234_567
	}
	for i := range s.FunctionEmissions {
		s.FunctionEmissions[i].Total += 0.001
	}
}

// BenchmarkPublish is what one epoch costs the monitoring loop.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{200, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, s := start(b, exporter.DefaultConfig()), busy(n)
			b.ReportAllocs()
			before := processor(b)
			for b.Loop() {
				advance(s)
				e.Publish(s)
			}
			b.ReportMetric(float64(processor(b)-before)/float64(b.N)/1e6, "cpu-ms/op")
		})
	}
}

// BenchmarkScrape is the first scrape of an epoch at 1,000 functions, with its
// size on the wire; BenchmarkScrapeAgain any further one.
func BenchmarkScrape(b *testing.B) {
	for name, accept := range map[string]string{"text": asText, "openmetrics": asOpen, "protobuf": asProtobuf} {
		for _, encoding := range []string{"gzip", "identity"} {
			b.Run(name+"/"+encoding, func(b *testing.B) { benchScrape(b, accept, encoding, true) })
		}
	}
}

func BenchmarkScrapeAgain(b *testing.B) { benchScrape(b, asOpen, "gzip", false) }

func benchScrape(b *testing.B, accept, encoding string, anew bool) {
	e, s := start(b, exporter.DefaultConfig()), busy(1000)
	e.Publish(s)
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	w := &counter{head: http.Header{}}
	b.ReportAllocs()
	var spent time.Duration
	for b.Loop() {
		if anew {
			b.StopTimer()
			advance(s)
			e.Publish(s)
			b.StartTimer()
		}
		w.n = 0
		before := processor(b)
		e.ServeHTTP(w, r)
		spent += processor(b) - before
	}
	b.ReportMetric(float64(spent)/float64(b.N)/1e6, "cpu-ms/op")
	b.ReportMetric(float64(w.n), "wire-B")
}

// counter counts the bytes of an answer.
type counter struct {
	head http.Header
	n    int
}

func (c *counter) Header() http.Header { return c.head }
func (c *counter) WriteHeader(int)     {}
func (c *counter) Write(b []byte) (int, error) {
	c.n += len(b)
	return len(b), nil
}

// processor returns the processor time of this process so far. Figures are of
// it: the time on the wall says more of the machine's neighbours.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMemory is the heap that an exporter holds at 1,000 functions once it
// was scraped.
func BenchmarkMemory(b *testing.B) {
	s := busy(1000)
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", asOpen)
	r.Header.Set("Accept-Encoding", "gzip")
	for b.Loop() {
		before := heap()
		e := start(b, exporter.DefaultConfig())
		e.Publish(s)
		e.ServeHTTP(&counter{head: http.Header{}}, r)
		b.ReportMetric((heap()-before)/(1<<20), "heap-MiB")
		runtime.KeepAlive(e)
	}
}

// heap is what is in use after a collection, in bytes.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
