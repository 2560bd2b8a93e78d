package sdk

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wattle-project/wattle/plugins/proto"
	"github.com/wattle-project/wattle/plugins/proto/meterpb"
)

// server puts a Meter behind gRPC. Calls are served one at a time.
type server struct {
	meterpb.UnimplementedMeterServer
	mu       sync.Mutex
	meter    Meter
	zones    []Zone
	revision uint64
	readings []Reading
}

func newServer(m Meter) *server { return &server{meter: m} }

// Capabilities implements meterpb.MeterServer.
func (s *server) Capabilities(context.Context, *meterpb.CapabilitiesRequest) (*meterpb.CapabilitiesResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return proto.EncodeCapabilities(s.meter.Capabilities()), nil
}

// Describe implements meterpb.MeterServer.
func (s *server) Describe(context.Context, *meterpb.DescribeRequest) (*meterpb.DescribeResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revise()
	return &meterpb.DescribeResponse{Revision: s.revision, Zones: proto.EncodeZones(s.zones)}, nil
}

// Read implements meterpb.MeterServer.
func (s *server) Read(ctx context.Context, req *meterpb.ReadRequest) (*meterpb.ReadResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	readings, err := s.meter.Read(ctx, s.readings[:0])
	s.readings = readings[:0]
	if err != nil {
		return &meterpb.ReadResponse{Revision: req.GetKnownRevision(), Error: err.Error()}, nil
	}
	s.revise()
	out := &meterpb.ReadResponse{
		Revision: s.revision, Readings: proto.EncodeReadings(readings, time.Now()),
		Uses: proto.EncodeUses(s.meter.Uses()), Gauges: proto.EncodeGauges(s.meter.Gauges()),
	}
	if req.GetKnownRevision() != s.revision {
		out.Zones = proto.EncodeZones(s.zones)
	}
	return out, nil
}

// revise gives the zones a new revision when they changed.
func (s *server) revise() {
	zones := s.meter.Zones()
	if s.revision == 0 || !slices.Equal(zones, s.zones) {
		s.zones = slices.Clone(zones)
		s.revision++
	}
}
