package exporter_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

func Example() {
	cfg := exporter.DefaultConfig()
	cfg.Process = false
	e, err := exporter.New(cfg)
	if err != nil {
		panic(err)
	}
	e.Publish(&exporter.Snapshot{
		At: time.Now(),
		Functions: []exporter.FunctionEnergy{
			{Namespace: "shop", Function: "resize", Component: wattle.Package, Share: exporter.Active, Energy: 1_250_000},
		},
	})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	page, _ := io.ReadAll(w.Body)
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "wattle_function_energy") {
			fmt.Print(line)
		}
	}
	// Output: wattle_function_energy_joules_total{component="package",function="resize",namespace="shop",share="active"} 1.25
}
