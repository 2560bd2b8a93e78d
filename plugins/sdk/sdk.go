package sdk

import (
	"context"
	"os"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/wattle-project/wattle/plugins/proto"
	"github.com/wattle-project/wattle/plugins/proto/meterpb"
)

// The values of the seam, named here so that a plugin imports one package.
type (
	// Meter is what a plugin implements.
	Meter = proto.Meter
	// Zone is one register of a meter.
	Zone = proto.Zone
	// Reading is one observation of one zone.
	Reading = proto.Reading
	// Use is a share of a zone's dynamic energy.
	Use = proto.Use
	// Gauge is how busy a part of a device was.
	Gauge = proto.Gauge
	// Capabilities says who the plugin is.
	Capabilities = proto.Capabilities
)

// orphanPoll is how often a plugin looks whether its host still lives.
const orphanPoll = 2 * time.Second

// Serve serves m to the agent that started this process and returns when the
// agent ends the connection. A process that was not started by an agent prints
// what it is and exits with 1. Standard output belongs to the handshake: write
// to standard error only, where lines become log lines of the agent.
func Serve(m Meter) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go exitWithHost(ctx, os.Getppid())
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: proto.Handshake(),
		Plugins:         plugin.PluginSet{proto.MeterPlugin: &Plugin{Meter: m}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
	})
}

// exitWithHost ends this process when its parent is gone. A killed agent
// cannot tell its plugins to go.
func exitWithHost(ctx context.Context, parent int) {
	tick := time.NewTicker(orphanPoll)
	defer tick.Stop()
	for os.Getppid() == parent {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	os.Exit(0)
}

// Plugin is the server side for hashicorp/go-plugin. Serve uses it; tests of a
// plugin can pass it to plugin.TestPluginGRPCConn.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	Meter Meter
}

// GRPCServer implements plugin.GRPCPlugin.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	meterpb.RegisterMeterServer(s, newServer(p.Meter))
	return nil
}

// GRPCClient implements plugin.GRPCPlugin. It returns a meterpb.MeterClient.
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return meterpb.NewMeterClient(c), nil
}
