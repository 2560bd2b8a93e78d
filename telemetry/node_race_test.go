package telemetry_test

import (
	"sync"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// Status is read by the door that serves metrics while a round is collected.
func TestStatusBesideCollect(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{Meters: []telemetry.Meter{b.meter("rapl", server)}})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		var last wattle.Microjoules
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, z := range b.node.Zones() {
				if z.Zone.Key == "package-0" {
					if z.Total < last {
						t.Errorf("total fell from %d to %d", last, z.Total)
					}
					last = z.Total
				}
			}
			b.node.Meters()
		}
	})
	err := b.run(200 * time.Second)
	close(stop)
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
}
