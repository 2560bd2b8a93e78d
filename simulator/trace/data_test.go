package trace_test

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/wattle-project/wattle/simulator/trace"
)

// dataDir is the folder of published traces, which is not part of the project.
func dataDir(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("WATTLE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is absent: set WATTLE_DATA to the folder that holds the published data", path)
	}
	return path
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The published trace has 10,399,402 invocations in 17,280 minutes of 1,000
// functions.
func TestTwelveDaysOfCounts(t *testing.T) {
	path := dataDir(t, "azure-functions-2019-ecolife/selected_trace.zip")
	before := heap()
	tr, err := trace.Read(trace.Counts, path, trace.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if got := int64(heap()) - int64(before); got > 20<<20 {
		t.Errorf("the trace holds %d bytes, want at most 20 MiB", got)
	} else {
		t.Logf("the trace holds %d bytes", got)
	}
	if n, d := len(tr.Functions()), tr.Length(); n != 1000 || d != 17280*time.Minute {
		t.Fatalf("%d functions over %s, want 1000 over 288h", n, d)
	}
	total := int64(0)
	for _, f := range tr.Functions() {
		total += f.Invocations
	}
	replayed := drain(t, tr)
	if total != 10_399_402 || replayed != total {
		t.Fatalf("%d invocations in the table, %d in the replay, want 10,399,402", total, replayed)
	}
	if f := tr.Functions()[2]; f.ID != "dynamic-100k*2" && f.Profile == "" {
		t.Errorf("third function is %+v", f)
	}
}

func drain(t testing.TB, tr trace.Trace) (n int64) {
	t.Helper()
	s, err := tr.Open()
	if err != nil {
		t.Fatal(err)
	}
	var buf []trace.Arrival
	for {
		if buf, err = s.Next(buf); err == io.EOF {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
		n += int64(len(buf))
	}
}

func TestAzure2021Slice(t *testing.T) {
	path := dataDir(t, "azure-functions-2021-slice/Azure2021_200.csv")
	tr, err := trace.Read(trace.Azure2021, path, trace.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(tr.Functions()); n != 31 || tr.Length() != 21*time.Minute {
		t.Fatalf("%d functions over %s, want 31 over 21m", n, tr.Length())
	}
	if n := drain(t, tr); n != 199 {
		t.Fatalf("%d invocations, want 199", n)
	}
}

// One iteration is one invocation of the published twelve days.
func BenchmarkReplayCounts(b *testing.B) {
	tr, err := trace.Read(trace.Counts, dataDir(b, "azure-functions-2019-ecolife/selected_trace.zip"), trace.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for n < b.N {
		n += int(drain(b, tr))
	}
}

func BenchmarkReadCounts(b *testing.B) {
	path := dataDir(b, "azure-functions-2019-ecolife/selected_trace.zip")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := trace.Read(trace.Counts, path, trace.DefaultConfig()); err != nil {
			b.Fatal(err)
		}
	}
}
