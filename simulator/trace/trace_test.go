package trace_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
	"pgregory.net/rapid"
)

// folder writes files into a new directory.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t testing.TB, f trace.Format, path string, c trace.Config) trace.Trace {
	t.Helper()
	tr, err := trace.Read(f, path, c)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// arrivals replays a trace and checks the order that a Source promises.
func arrivals(t testing.TB, tr trace.Trace) []trace.Arrival {
	t.Helper()
	s, err := tr.Open()
	if err != nil {
		t.Fatal(err)
	}
	all, err := trace.All(s)
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]int64, len(tr.Functions()))
	for i, a := range all {
		if i > 0 && (a.At < all[i-1].At || a.At == all[i-1].At && a.Function < all[i-1].Function) {
			t.Fatalf("arrival %d %+v is before %+v", i, a, all[i-1])
		}
		if a.At < 0 || a.At >= int64(tr.Length()) || !(a.Scale > 0) {
			t.Fatalf("arrival %+v in a run of %s", a, tr.Length())
		}
		counts[a.Function]++
	}
	for i, f := range tr.Functions() {
		if counts[i] != f.Invocations {
			t.Fatalf("%s: %d arrivals, the table says %d", f.ID, counts[i], f.Invocations)
		}
	}
	return all
}

func lines(counts ...int) string {
	var b strings.Builder
	for _, n := range counts {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}

func pack(t testing.TB, how string, content string) string {
	t.Helper()
	var b bytes.Buffer
	switch how {
	case "gzip":
		w := gzip.NewWriter(&b)
		w.Write([]byte(content))
		w.Close()
	case "zstd":
		w, _ := zstd.NewWriter(&b)
		w.Write([]byte(content))
		w.Close()
	default:
		w := zip.NewWriter(&b)
		for i, name := range []string{"d/video*10.txt", "d/dna*9.txt", "d/.hidden*1.txt"} {
			f, _ := w.Create(name)
			f.Write([]byte(lines(i+1, 0, 2)))
		}
		w.Close()
	}
	return b.String()
}

func TestCountsFromEveryContainer(t *testing.T) {
	dir := folder(t, map[string]string{
		"video*10.txt": lines(1, 0, 2), "dna*9.txt.gz": pack(t, "gzip", lines(0, 3)), "mst*11.txt.zst": pack(t, "zstd", lines(1)),
		"notes.md": "not a trace", "trace.zip": pack(t, "zip", ""),
	})
	tr := read(t, trace.Counts, filepath.Join(dir, "*.txt*"), trace.DefaultConfig())
	if fs := tr.Functions(); len(fs) != 3 || fs[0].ID != "dna*9" || fs[0].Profile != "dna" || fs[2].ID != "mst*11" || tr.Length() != 3*time.Minute {
		t.Fatalf("%d functions over %s: %+v", len(fs), tr.Length(), fs)
	}
	if n := len(arrivals(t, tr)); n != 7 {
		t.Fatalf("%d arrivals, want 7", n)
	}
	tr = read(t, trace.Counts, filepath.Join(dir, "trace.zip"), trace.DefaultConfig())
	if fs := tr.Functions(); len(fs) != 2 || fs[0].ID != "dna*9" || len(arrivals(t, tr)) != 7 {
		t.Fatalf("from the archive: %+v", fs)
	}
}

func TestPlacements(t *testing.T) {
	dir := folder(t, map[string]string{"f*1.txt": lines(0, 4)})
	const minute = int64(time.Minute)
	tests := []struct {
		placement string
		want      []int64 // in seconds of the second minute
	}{
		{"even", []int64{7500, 22500, 37500, 52500}},
		{"start", []int64{0, 0, 0, 0}},
		{"uniform", nil}, {"poisson", nil}, {"phased", nil}, {"burst", nil},
	}
	for _, tt := range tests {
		c := trace.DefaultConfig()
		if err := c.Placement.UnmarshalText([]byte(tt.placement)); err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, a := range arrivals(t, read(t, trace.Counts, dir, c)) {
			if a.At/minute != 1 {
				t.Errorf("%s: arrival at %d is not in minute 1", tt.placement, a.At)
			}
			got = append(got, (a.At-minute)/1e6)
		}
		if tt.want != nil && !slices.Equal(got, tt.want) {
			t.Errorf("%s: milliseconds %v, want %v", tt.placement, got, tt.want)
		}
		if tt.placement == "phased" && got[1]-got[0] != 15000 {
			t.Errorf("phased: %v, want gaps of 15 s", got)
		}
	}
}

// A replay of minutes [a, b) of some functions equals that part of the replay of
// everything: nothing depends on where a replay begins or on other functions.
func TestWindowAndSubsetChangeNothingElse(t *testing.T) {
	files := map[string]string{}
	for i := range 12 {
		counts := make([]int, 50)
		for m := range counts {
			counts[m] = max(0, (i*7+m*m*3)%23-15) * (i%5 + 1)
		}
		files[fmt.Sprintf("f*%d.txt", i)] = lines(counts...)
	}
	dir := folder(t, files)
	rapid.Check(t, func(r *rapid.T) {
		c := trace.DefaultConfig()
		c.Seed, c.Sigma = rapid.Uint64Range(0, 5).Draw(r, "seed"), 0.7
		c.Placement = trace.Placement(rapid.IntRange(0, 4).Draw(r, "placement"))
		whole := read(t, trace.Counts, dir, c)
		first, n := rapid.IntRange(0, 40).Draw(r, "first"), rapid.IntRange(1, 10).Draw(r, "minutes")
		c.Offset, c.Length = time.Duration(first)*time.Minute, time.Duration(n)*time.Minute
		c.Limit, c.Choice = rapid.IntRange(0, 12).Draw(r, "limit"), trace.Choice(rapid.IntRange(0, 2).Draw(r, "choice"))
		part := read(t, trace.Counts, dir, c)
		var want []string
		for _, a := range arrivals(t, whole) {
			f := whole.Functions()[a.Function].ID
			kept := slices.ContainsFunc(part.Functions(), func(g trace.Function) bool { return g.ID == f })
			if at := a.At - int64(c.Offset); at >= 0 && at < int64(c.Length) && kept {
				want = append(want, fmt.Sprint(at, f, a.Scale))
			}
		}
		var got []string
		for _, a := range arrivals(t, part) {
			got = append(got, fmt.Sprint(a.At, part.Functions()[a.Function].ID, a.Scale))
		}
		if !slices.Equal(got, want) {
			r.Fatalf("the part has %d arrivals, the same part of the whole %d, or they differ", len(got), len(want))
		}
	})
}

func TestChoice(t *testing.T) {
	dir := folder(t, map[string]string{"a*1.txt": lines(1), "b*2.txt": lines(9), "c*3.txt": lines(0, 4), "d*4.txt": lines(2)})
	tests := []struct {
		spoil func(*trace.Config)
		want  string
	}{
		{func(c *trace.Config) { c.Limit = 2 }, "a*1 b*2"},
		{func(c *trace.Config) { c.Limit, c.Choice = 2, trace.ChooseBusiest }, "b*2 c*3"},
		{func(c *trace.Config) { c.Limit, c.Choice, c.Length = 2, trace.ChooseBusiest, time.Minute }, "b*2 d*4"},
		{func(c *trace.Config) { c.Match = []string{"c?3", "d*"} }, "c*3 d*4"},
	}
	for i, tt := range tests {
		c := trace.DefaultConfig()
		tt.spoil(&c)
		var ids []string
		for _, f := range read(t, trace.Counts, dir, c).Functions() {
			ids = append(ids, string(f.ID))
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("case %d: %s, want %s", i, got, tt.want)
		}
	}
}

// azure makes a row of the invocations family with counts at some minutes.
func azure(owner, app, function, trigger string, at map[int]int) string {
	row := []string{owner, app, function, trigger}
	for m := 1; m <= 1440; m++ {
		row = append(row, fmt.Sprint(at[m]))
	}
	return strings.Join(row, ",") + "\n"
}

func azureFiles() map[string]string {
	header := "HashOwner,HashApp,HashFunction,Trigger"
	for m := 1; m <= 1440; m++ {
		header += fmt.Sprint(",", m)
	}
	header += "\n"
	const durations = "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,percentile_Average_100\n"
	const memory = "HashOwner,HashApp,SampleCount,AverageAllocatedMb,AverageAllocatedMb_pct1,AverageAllocatedMb_pct5,AverageAllocatedMb_pct25,AverageAllocatedMb_pct50,AverageAllocatedMb_pct75,AverageAllocatedMb_pct95,AverageAllocatedMb_pct99,AverageAllocatedMb_pct100\n"
	return map[string]string{
		"invocations_per_function_md.anon.d01.csv":    header + azure("o1", "a1", "f1", "http", map[int]int{1: 3, 1440: 20}) + azure("o1", "a1", "f2", "timer", map[int]int{700: 1}),
		"invocations_per_function_md.anon.d02.csv":    header + azure("o2", "a2", "f1", "queue", map[int]int{2: 5000}) + azure("o1", "a1", "f1", "http", map[int]int{1: 1}) + azure("o1", "a1", "f1", "http", map[int]int{1: 2, 3: 1}),
		"function_durations_percentiles.anon.d01.csv": durations + "o1,a1,f1,100,10,1,500,1,2,50,90,120,400,500\n",
		"function_durations_percentiles.anon.d02.csv": durations + "o1,a1,f1,400,30,1,500,-1,2,50,90,120,400,500\no9,a9,f9,400,30,1,500,1,2,50,90,120,400,500\n",
		"app_memory_percentiles.anon.d01.csv":         memory + "o1,a1,4,128,1,1,1,1,1,1,1,1\n",
	}
}

func TestAzure2019(t *testing.T) {
	dir := folder(t, azureFiles())
	c := trace.DefaultConfig()
	tr := read(t, trace.Azure2019, dir, c)
	fs := tr.Functions()
	if len(fs) != 3 || tr.Length() != 48*time.Hour {
		t.Fatalf("%d functions over %s", len(fs), tr.Length())
	}
	// The mean is weighted by the days' counts: (100·10 + 400·30)/40 ms.
	want := trace.Function{ID: "a1.f1", Owner: "o1", App: "a1", Trigger: "http", Mean: 325 * time.Millisecond, Memory: 128 << 20, Invocations: 27}
	if fs[0] != want {
		t.Errorf("first function is %+v, want %+v", fs[0], want)
	}
	if fs[2].ID != "a2.f1" || fs[2].Memory != 0 || fs[2].Mean != 0 || fs[2].Invocations != 5000 {
		t.Errorf("third function is %+v", fs[2])
	}
	all := arrivals(t, tr)
	if last := all[len(all)-1]; last.Function != 0 || last.At/int64(time.Minute) != 1442 {
		t.Errorf("last arrival %+v, want one of a1.f1 in minute 1442", last)
	}

	// Without a cache every replay parses the days again, to the same result.
	c.Cache = 0
	if again := arrivals(t, read(t, trace.Azure2019, dir, c)); !slices.Equal(all, again) {
		t.Error("a replay without cache differs")
	}
	// A window across midnight.
	c.Offset, c.Length = 1439*time.Minute, 3*time.Minute
	part := read(t, trace.Azure2019, dir, c)
	got := arrivals(t, part)
	from := slices.IndexFunc(all, func(a trace.Arrival) bool { return a.At >= int64(c.Offset) })
	to := slices.IndexFunc(all, func(a trace.Arrival) bool { return a.At >= int64(c.Offset+c.Length) })
	for i := range got {
		got[i].At += int64(c.Offset)
	}
	if !slices.Equal(got, all[from:to]) {
		t.Error("the window across midnight differs from the whole")
	}
	// A window of the second day alone reads only that day.
	c.Offset, c.Length = 1440*time.Minute, 0
	if part = read(t, trace.Azure2019, dir, c); len(part.Functions()) != 2 {
		t.Errorf("the second day has %d functions, want 2", len(part.Functions()))
	}
}

func TestAzure2021AnyOrder(t *testing.T) {
	const rows = "app,func,end_timestamp,duration\n" +
		"a,f,100,99.5\n" + // starts at 0.5
		"a,g,2,1\n" + // starts at 1
		"b,f,200,1\n" +
		"b,f,61,60.75\n" + // starts at 0.25, after 199
		"a,f,5,50\n" // began before the trace
	tr := read(t, trace.Azure2021, folder(t, map[string]string{"x.csv": rows}), trace.DefaultConfig())
	all := arrivals(t, tr)
	var got []string
	for _, a := range all {
		f := tr.Functions()[a.Function]
		got = append(got, fmt.Sprintf("%g %s %.3f", float64(a.At)/1e9, f.ID, float64(a.Scale)*f.Mean.Seconds()))
	}
	want := []string{"0.25 b.f 60.750", "0.5 a.f 99.500", "1 a.g 1.000", "199 b.f 1.000"}
	if !slices.Equal(got, want) || tr.Length() != 4*time.Minute {
		t.Fatalf("%q over %s, want %q", got, tr.Length(), want)
	}
}

func TestEventsWithoutDurations(t *testing.T) {
	c := trace.DefaultConfig()
	c.Sigma, c.Offset = 0.5, time.Minute
	tr := read(t, trace.Events, folder(t, map[string]string{"x.csv": "time_s,function,note\n61,f,x\n60,g,y\n10,h,z\n"}), c)
	all := arrivals(t, tr)
	if len(all) != 2 || tr.Functions()[all[0].Function].ID != "g" || all[0].At != 0 || all[1].At != 1e9 {
		t.Fatalf("%+v of %+v", all, tr.Functions())
	}
	if all[0].Scale == 1 || all[0].Scale == all[1].Scale {
		t.Errorf("scales %g and %g are not drawn", all[0].Scale, all[1].Scale)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	good := azureFiles()
	spoil := func(name, old, replacement string) map[string]string {
		files := map[string]string{}
		for k, v := range good {
			files[k] = v
		}
		files[name] = strings.Replace(files[name], old, replacement, 1)
		return files
	}
	one, two := "invocations_per_function_md.anon.d01.csv", "function_durations_percentiles.anon.d01.csv"
	tests := []struct {
		name   string
		format trace.Format
		files  map[string]string
		want   string
	}{
		{"count", trace.Counts, map[string]string{"f*1.txt": "0\n1\n-3\n"}, "f*1.txt:3: column 1: \"-3\": want the invocations of minute 2"},
		{"twice", trace.Counts, map[string]string{"f*1.txt": "0\n", "f*1.txt.gz": "0\n"}, "both name function f*1"},
		{"no file", trace.Counts, map[string]string{"x.csv": ""}, "want files named"},
		{"azure count", trace.Azure2019, spoil(one, "http,3", "http,x"), "d01.csv:2: column 5 (1)"},
		{"azure short", trace.Azure2019, spoil(one, ",20\n", "\n"), "d01.csv:2: column 1443 (1439): the row ends or breaks after 1439 of 1440"},
		{"azure long", trace.Azure2019, spoil(one, ",20\n", ",20,1\n"), "follows the last of 1440 counts"},
		{"azure header", trace.Azure2019, spoil(one, "HashApp", "App"), "no column \"HashApp\""},
		{"azure duration", trace.Azure2019, spoil(two, ",100,10", ",zz,10"), "d01.csv:2: column 4 (Average): \"zz\": want a number"},
		{"azure day", trace.Azure2019, map[string]string{one: good[one], strings.Replace(one, "01", "03", 1): good[one]}, "day 02 is missing"},
		{"azure none", trace.Azure2019, map[string]string{"x.csv": ""}, "invocations_per_function_md"},
		{"2021", trace.Azure2021, map[string]string{"x.csv": "app,func,end_timestamp,duration\na,f,1,-1\n"}, "x.csv:2: column 4 (duration)"},
		{"events", trace.Events, map[string]string{"x.csv": "time_s,function\n1,\n"}, "x.csv:2: column 2 (function)"},
		{"events empty", trace.Events, map[string]string{"x.csv": "time_s,function\n"}, "holds no invocation"},
		{"events header", trace.Events, map[string]string{"x.csv": "time,function\n"}, "no column \"time_s\": the header is time,function"},
	}
	for _, tt := range tests {
		_, err := trace.Read(tt.format, folder(t, tt.files), trace.DefaultConfig())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q in it", tt.name, err, tt.want)
		}
	}
	var where *tabular.Error
	_, err := trace.Read(trace.Counts, folder(t, tests[0].files), trace.DefaultConfig())
	if !errors.As(err, &where) || where.Line != 3 {
		t.Errorf("%v is no tabular.Error of line 3", err)
	}
	c := trace.DefaultConfig()
	c.Offset = time.Hour
	if _, err := trace.Read(trace.Counts, folder(t, map[string]string{"f*1.txt": lines(1)}), c); err == nil || !strings.Contains(err.Error(), "lower offset") {
		t.Errorf("a window beyond the trace: %v", err)
	}
}

func TestConfigValidates(t *testing.T) {
	tests := []func(*trace.Config){
		func(c *trace.Config) { c.Offset = time.Second },
		func(c *trace.Config) { c.Length = -time.Minute },
		func(c *trace.Config) { c.Limit = -1 },
		func(c *trace.Config) { c.Sigma = math.NaN() },
		func(c *trace.Config) { c.Placement = 99 },
		func(c *trace.Config) { c.Match = []string{"["} },
		func(c *trace.Config) { c.Cache = -1 },
	}
	for i, spoil := range tests {
		c := trace.DefaultConfig()
		if spoil(&c); c.Validate() == nil {
			t.Errorf("case %d: accepted %+v", i, c)
		}
	}
	for _, f := range []trace.Format{trace.Counts, trace.Azure2019, trace.Azure2021, trace.Events} {
		var g trace.Format
		if err := g.UnmarshalText([]byte(f.String())); err != nil || g != f {
			t.Errorf("format %s reads as %s, %v", f, g, err)
		}
	}
}

// The pinned hash keeps results comparable between versions and processors.
func TestSameBytesEverywhere(t *testing.T) {
	files := map[string]string{}
	for i := range 40 {
		files[fmt.Sprintf("f*%d.txt", i)] = lines(i, 0, 2*i, 1)
	}
	c := trace.DefaultConfig()
	c.Sigma = 1
	h := fnv.New64a()
	for p := range trace.Burst + 1 {
		c.Placement = p
		for _, a := range arrivals(t, read(t, trace.Counts, folder(t, files), c)) {
			fmt.Fprintf(h, "%d %d %x\n", a.At, a.Function, math.Float32bits(float32(a.Scale)))
		}
	}
	const want = "bee822d8e792d771"
	if got := fmt.Sprintf("%016x", h.Sum64()); got != want {
		t.Fatalf("hash %s, want %s: results are no longer comparable with earlier ones", got, want)
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	counts := make([]int, 300)
	for i := range counts {
		counts[i] = 40
	}
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprintf("f*%d.txt", i)] = lines(counts...)
	}
	c := trace.DefaultConfig()
	c.Sigma = 1
	s, err := read(t, trace.Counts, folder(t, files), c).Open()
	if err != nil {
		t.Fatal(err)
	}
	var buf []trace.Arrival
	buf, _ = s.Next(buf)
	if n := testing.AllocsPerRun(100, func() { buf, _ = s.Next(buf) }); n != 0 || len(buf) != 4000 {
		t.Fatalf("%g allocations for a window of %d, want 0 for 4,000", n, len(buf))
	}
}

// A scale of d/mean lasts d, to the nanosecond, and a drawn one of 24 bits what
// whole arithmetic says.
func TestLasts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mean := rapid.Int64Range(1, 1<<40).Draw(t, "mean")
		d := rapid.Int64Range(1, 1<<50).Draw(t, "duration")
		if got := trace.Lasts(time.Duration(mean), float64(d)/float64(mean)); got != d {
			t.Fatalf("%d of a mean of %d lasts %d", d, mean, got)
		}
		k := rapid.Int64Range(1, 1<<24).Draw(t, "scale")
		if got, want := trace.Lasts(time.Duration(mean), float64(k)/(1<<12)), mean*(k>>12)+mean*(k&4095)>>12; mean < 1<<29 && got != want {
			t.Fatalf("%d/4096 of %d lasts %d, want %d", k, mean, got, want)
		}
	})
}
