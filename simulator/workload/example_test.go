package workload_test

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload"
)

// A timer every 20 minutes for an hour.
func Example() {
	s := workload.DefaultSpec()
	s.Function = trace.Function{ID: "report", Mean: time.Second}
	s.Process, s.Rate = workload.Timer, 1./1200
	c := workload.DefaultConfig()
	c.Length = time.Hour
	w, err := workload.New([]workload.Spec{s}, c)
	if err != nil {
		fmt.Println(err)
		return
	}
	source, err := w.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	all, err := trace.All(source)
	fmt.Println(len(all), time.Duration(all[1].At-all[0].At), err)
	// Output: 3 20m0s <nil>
}
