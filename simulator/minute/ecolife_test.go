package minute

import (
	"fmt"
	"os"
	"testing"
	"time"
	"iter"

	"github.com/wattle-project/wattle/scheduler/lifecycle"
)

func load(t testing.TB) (Config, iter.Seq2[Trace, error]) {
	d := os.Getenv("WATTLE_DATA")
	if d == "" {
		d = "../../../shared/data"
	}
	cfg := DefaultConfig()
	var err error
	cfg.Intensity, err = Intensity(d+"/carbon-ecolife-us-2023/US-CAL-CISO_2023_hourly.csv", "Carbon Intensity gCO₂eq/kWh (direct)")
	if err != nil {
		t.Skip(err)
	}
	cfg.Classes, err = Profiles(d+"/ecolife-energy-profiles", "i3", "m5zn")
	if err != nil {
		t.Fatal(err)
	}
	return cfg, Archive(d+"/azure-functions-2019-ecolife/selected_trace.zip", 1460)
}

func TestX(t *testing.T) {
	cfg, src := load(t)
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	show := func(name string, k lifecycle.Keeper) {
		t0 := time.Now()
		x, err := r.Run(src, k)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%-12s n=%d %.4f %.6f cold %.2f%% %v\n", name, x.Invocations, x.MeanSeconds(), x.MeanGrams(), 100*x.ColdShare(), time.Since(t0))
	}
	for _, o := range []int32{0, 1} {
		for _, k := range []int{1, 5, 10, 30} {
			show("fixed", lifecycle.NewFixed(time.Duration(k)*time.Minute, o))
		}
	}
	show("hybrid", lifecycle.NewHybrid(240*time.Minute, 1))
	show("hybrid", lifecycle.NewHybrid(10*time.Minute, 1))
	show("eco", &lifecycle.EcoLife{})
	show("pso", lifecycle.NewEcoLife(true, 1))
	show("pso", lifecycle.NewEcoLife(true, 2))
}
