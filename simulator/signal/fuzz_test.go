package signal

import (
	"bytes"
	"testing"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
)

func FuzzReadFile(f *testing.F) {
	f.Add([]byte("Datetime (UTC),Zone Id,Carbon Intensity gCO₂eq/kWh (direct),Carbon Intensity gCO₂eq/kWh (LCA)\n2023-01-01 00:00:00,DE,1,2\n2023-01-01 01:00:00,DE,,0\n"))
	f.Add([]byte("time,value\n2022-01-01T00:00Z,1\n2022-01-01T01:00Z,2\n"))
	f.Add([]byte("datetime_utc,DE,FR\n2022-01-01T00:00:00Z,400,50\n2022-01-02T01:00:00Z,,x\n"))
	f.Add([]byte("timestamp,\"D\"\"E\"\n1650000000,1\n1650003600,2\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		all, report, err := readFiles([]tabular.File{tabular.Memory("DE.csv", content)}, Options{})
		if err != nil {
			return
		}
		for _, a := range all {
			for _, g := range a.Gaps() {
				if _, ok := a.At(g.From); ok {
					t.Fatalf("a gap at %s has a value", g.From)
				}
			}
			if v, _ := a.Mean(a.Start(), a.End()); v < 0 || v > wattle.MaxIntensity {
				t.Fatalf("mean %g (%+v)", v, report)
			}
		}
	})
}

func FuzzReadPrices(f *testing.F) {
	f.Add([]byte(",Real price,DNN Ensemble\n2016-01-04 00:00:00,-13.78,10.6\n2016-01-04 01:00:00,12.77,\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		all, err := readPrices(tabular.NewReader("DE.csv", bytes.NewReader(content)), "DE")
		if err == nil && len(all) == 0 {
			t.Fatal("neither prices nor an error")
		}
	})
}
