package trace

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/wattle-project/wattle/simulator/trace/tabular"
)

// replays checks that a trace that was accepted replays in order and in full.
func replays(t *testing.T, tr Trace, err error) {
	t.Helper()
	if err != nil {
		return
	}
	total := int64(0)
	for _, f := range tr.Functions() {
		total += f.Invocations
	}
	if total > 20_000 || tr.Length() > 20_000*Window {
		return
	}
	s, err := tr.Open()
	if err != nil {
		t.Fatal(err)
	}
	var buf []Arrival
	for from := int64(0); ; from += window {
		if buf, err = s.Next(buf); err != nil {
			break
		}
		for i, a := range buf {
			if a.At < from || a.At >= from+window || i > 0 && a.At < buf[i-1].At || !(a.Scale > 0) {
				t.Fatalf("arrival %d of the window at %d: %+v", i, from, a)
			}
		}
		total -= int64(len(buf))
	}
	if err != io.EOF || total != 0 {
		t.Fatalf("%d arrivals are missing: %v", total, err)
	}
}

func FuzzCounts(f *testing.F) {
	f.Add([]byte("0\n3\n\n12\n"))
	f.Add([]byte("\xef\xbb\xbf1\r\n9999999\r\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		tr, err := readCountFiles([]tabular.File{tabular.Memory("f*1.txt", content)}, DefaultConfig())
		replays(t, tr, err)
	})
}

func azureFile(rows ...string) string {
	header := "HashOwner,HashApp,HashFunction,Trigger"
	for m := range minutesPerDay {
		header += fmt.Sprint(",", m+1)
	}
	return header + "\n" + strings.Join(rows, "\n")
}

func FuzzAzure2019(f *testing.F) {
	silent := strings.Repeat("0,", minutesPerDay-1)
	f.Add("o,a,f,http,", "3", "o,a,f,timer,")
	header := azureFile()
	f.Fuzz(func(t *testing.T, row, last, second string) {
		content := header + row + silent + last + "\n" + second + silent + last
		files := []tabular.File{tabular.Memory("invocations_per_function_md.anon.d07.csv", []byte(content))}
		tr, err := readAzureFiles(files, DefaultConfig())
		replays(t, tr, err)
	})
}

func FuzzAzureColumns(f *testing.F) {
	f.Add([]byte("HashOwner,HashApp,HashFunction,Average,Count,percentile_Average_0,percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,percentile_Average_100\no,a,f,100,10,-1,2,50,90,120,400,500\n"),
		[]byte("HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,a,4,128\n"))
	counts := []byte(azureFile("o,a,f,http," + strings.Repeat("1,", minutesPerDay-1) + "2"))
	f.Fuzz(func(t *testing.T, durations, memory []byte) {
		files := []tabular.File{
			tabular.Memory("invocations_per_function_md.anon.d01.csv", counts),
			tabular.Memory("function_durations_percentiles.anon.d01.csv", durations),
			tabular.Memory("app_memory_percentiles.anon.d01.csv", memory),
		}
		tr, err := readAzureFiles(files, DefaultConfig())
		replays(t, tr, err)
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("time_s,function,duration_s\n1.5,\"f\"\"g\",0.2\n# note\n0,h,1e3\n"))
	f.Add([]byte("function,time_s\nf,61\ng,0\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		tr, err := readEventFiles([]tabular.File{tabular.Memory("x.csv", content)}, DefaultConfig(), eventColumns())
		replays(t, tr, err)
	})
}

func FuzzAzure2021(f *testing.F) {
	f.Add([]byte("app,func,end_timestamp,duration\na,f,100,99.5\na,g,2,1\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		tr, err := readEventFiles([]tabular.File{tabular.Memory("x.csv", content)}, DefaultConfig(), azure2021Columns())
		replays(t, tr, err)
	})
}

// One day of 2,000 functions, as it is published.
func BenchmarkReadAzureDay(b *testing.B) {
	var rows []string
	for i := range 2000 {
		var row strings.Builder
		fmt.Fprintf(&row, "%064d,%016x%048d,%016x%048d,http", i/20, i/5, 0, i, 0)
		for m := range minutesPerDay {
			n := 0
			if (m*7+i)%(1+i%13) == 0 {
				n = i % 30
			}
			fmt.Fprint(&row, ",", n)
		}
		rows = append(rows, row.String())
	}
	content := []byte(azureFile(rows...))
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		files := []tabular.File{tabular.Memory("invocations_per_function_md.anon.d01.csv", content)}
		if _, err := readAzureFiles(files, DefaultConfig()); err != nil {
			b.Fatal(err)
		}
	}
}
