package sdk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	plugin "github.com/hashicorp/go-plugin"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/plugins/proto"
	"github.com/wattle-project/wattle/plugins/proto/meterpb"
	"github.com/wattle-project/wattle/plugins/sdk"
)

// board is a meter of which the test changes the zones and the fate.
type board struct {
	zones []sdk.Zone
	err   error
}

func (b *board) Capabilities() sdk.Capabilities { return sdk.Capabilities{Name: "test", Uses: true} }
func (b *board) Zones() []sdk.Zone              { return b.zones }
func (b *board) Uses() []sdk.Use                { return []sdk.Use{{Zone: "a", PID: 1, Share: 1}} }
func (b *board) Gauges() []sdk.Gauge            { return nil }
func (b *board) Read(_ context.Context, dst []sdk.Reading) ([]sdk.Reading, error) {
	if b.err != nil {
		return nil, b.err
	}
	for i := range b.zones {
		dst = append(dst, sdk.Reading{Zone: i, At: time.Now(), Energy: uint64(i), HasEnergy: true})
	}
	return dst, nil
}

func connect(t *testing.T, m sdk.Meter) meterpb.MeterClient {
	t.Helper()
	c, _ := plugin.TestPluginGRPCConn(t, false, map[string]plugin.Plugin{proto.MeterPlugin: &sdk.Plugin{Meter: m}})
	t.Cleanup(func() { _ = c.Close() })
	raw, err := c.Dispense(proto.MeterPlugin)
	if err != nil {
		t.Fatal(err)
	}
	return raw.(meterpb.MeterClient)
}

func TestZonesTravelOnlyWhenTheyChange(t *testing.T) {
	b := &board{zones: []sdk.Zone{{Key: "a", Component: wattle.GPU}}}
	c := connect(t, b)
	read := func(known uint64) *meterpb.ReadResponse {
		t.Helper()
		r, err := c.Read(t.Context(), &meterpb.ReadRequest{KnownRevision: known})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := read(0)
	if first.GetRevision() == 0 || len(first.GetZones()) != 1 || len(first.GetReadings()) != 1 || len(first.GetUses()) != 1 {
		t.Fatalf("first %v", first)
	}
	if again := read(first.GetRevision()); len(again.GetZones()) != 0 || again.GetRevision() != first.GetRevision() {
		t.Errorf("again %v", again)
	}
	b.zones = append(b.zones, sdk.Zone{Key: "b"})
	if grown := read(first.GetRevision()); len(grown.GetZones()) != 2 || len(grown.GetReadings()) != 2 || grown.GetRevision() == first.GetRevision() {
		t.Errorf("grown %v", grown)
	}
	d, err := c.Describe(t.Context(), &meterpb.DescribeRequest{})
	if err != nil || len(d.GetZones()) != 2 {
		t.Errorf("describe %v, %v", d, err)
	}
}

func TestMeterErrorIsAnAnswer(t *testing.T) {
	c := connect(t, &board{err: errors.New("no GPU")})
	r, err := c.Read(t.Context(), &meterpb.ReadRequest{})
	if err != nil || r.GetError() != "no GPU" {
		t.Errorf("%v, %v", r, err)
	}
	caps, err := c.Capabilities(t.Context(), &meterpb.CapabilitiesRequest{})
	if err != nil || caps.GetName() != "test" || !caps.GetUses() {
		t.Errorf("%v, %v", caps, err)
	}
}
