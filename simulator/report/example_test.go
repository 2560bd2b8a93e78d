package report_test

import (
	"bytes"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/wattle-project/wattle/simulator/report"
)

// A document is filled in, written as JSON and read back for another format.
func Example() {
	d := &report.Document{
		Schema: report.Schema,
		Run: report.Run{
			Experiment: "two-hours", Start: time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC), WindowS: 7200, SlotS: 3600,
			Accounting: report.Accounting{Profile: "standard"},
		},
		Clusters: []report.Cluster{{Name: "paris", Zone: "FR", IntensityGPerKWh: []float64{41, 44}}},
		Policies: []report.PolicyResult{
			{Name: "home-only", Kind: "go", Carbon: report.Carbon{OperationalG: 120}},
			{Name: "least-carbon", Kind: "rego", Carbon: report.Carbon{OperationalG: 84}},
		},
	}
	var file bytes.Buffer
	if err := report.JSON(&file, d); err != nil {
		log.Fatal(err)
	}
	read, err := report.Decode(&file)
	if err != nil {
		log.Fatal(err)
	}
	var table bytes.Buffer
	if err := report.Table(&table, read); err != nil {
		log.Fatal(err)
	}
	_, rest, _ := strings.Cut(table.String(), "Carbon and cost\n")
	fmt.Print(strings.Join(strings.SplitAfter(rest, "\n")[:4], ""))
	// Output:
	// policy        operational  change
	//                         g       %
	// home-only           120.0    base
	// least-carbon         84.0   −30.0
}
