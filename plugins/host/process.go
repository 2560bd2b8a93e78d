package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/wattle-project/wattle/plugins/proto"
	"github.com/wattle-project/wattle/plugins/proto/meterpb"
)

// Sum returns the SHA-256 of a file as Config.Checksum wants it.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// process is a session over a real process.
type process struct {
	client *plugin.Client
	meter  meterpb.MeterClient
	caps   proto.Capabilities
	dir    string // of the socket
	zones  int    // as of the last answer with zones
}

// launch starts a process and leaves none behind when it fails.
func launch(ctx context.Context, c Config) (session, error) {
	dir, err := c.socketDir()
	if err != nil {
		return nil, fmt.Errorf("socket folder: %w", err)
	}
	p := &process{client: plugin.NewClient(clientConfig(c, dir)), dir: dir}
	if err := p.connect(ctx, c.StartTimeout); err != nil {
		p.kill()
		return nil, fmt.Errorf("%w; its path is %s", explain(err), c.Path)
	}
	return p, nil
}

// clientConfig is made anew for each start: the hash and the command serve once.
func clientConfig(c Config, dir string) *plugin.ClientConfig {
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = append([]string{plugin.EnvUnixSocketDir + "=" + dir, "TMPDIR=" + dir}, c.Env...)
	config := &plugin.ClientConfig{
		HandshakeConfig: proto.Handshake(), Plugins: plugin.PluginSet{proto.MeterPlugin: &client{}},
		Cmd: cmd, SkipHostEnv: true, AutoMTLS: true, StartTimeout: c.StartTimeout,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
	}
	if c.Logger != nil {
		config.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Info, DisableTime: true, Output: lines{c.Logger.With("plugin", c.Name)}})
	}
	if sum, err := hex.DecodeString(c.Checksum); err == nil && len(sum) > 0 {
		config.SecureConfig = &plugin.SecureConfig{Checksum: sum, Hash: sha256.New()}
	}
	return config
}

func (p *process) connect(ctx context.Context, timeout time.Duration) error {
	rpc, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := rpc.Dispense(proto.MeterPlugin)
	if err != nil {
		return err
	}
	m, ok := raw.(meterpb.MeterClient)
	if !ok {
		return fmt.Errorf("plugin serves a %T", raw)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	caps, err := m.Capabilities(ctx, &meterpb.CapabilitiesRequest{})
	if err != nil {
		return err
	}
	p.meter = m
	p.caps, err = proto.DecodeCapabilities(caps)
	return err
}

// explain adds what to do to errors that users meet.
func explain(err error) error {
	switch {
	case errors.Is(err, plugin.ErrChecksumsDoNotMatch):
		return fmt.Errorf("%w: the binary is not the one that was configured; compare with sha256sum", err)
	case strings.Contains(strings.ToLower(err.Error()), "incompatible api version"):
		return fmt.Errorf("%w: rebuild the plugin against this version of wattle", err)
	}
	return err
}

func (p *process) capabilities() proto.Capabilities { return p.caps }

func (p *process) alive() bool { return !p.client.Exited() }

func (p *process) pid() int {
	if r := p.client.ReattachConfig(); r != nil {
		return r.Pid
	}
	return 0
}

// grace is how long a process may take to shut down.
const grace = 3 * time.Second

// kill asks the process to end and then makes it. The request to shut down has
// no time limit of its own, so a process that hangs would block it for ever.
func (p *process) kill() {
	pid := p.pid()
	done := make(chan struct{})
	go func() {
		p.client.Kill()
		close(done)
	}()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		if proc, err := os.FindProcess(pid); err == nil && pid > 0 && p.alive() {
			_ = proc.Kill()
		}
		<-done
	}
	_ = os.RemoveAll(p.dir)
}

func (p *process) read(ctx context.Context, known uint64) (*answer, error) {
	m, err := p.meter.Read(ctx, &meterpb.ReadRequest{KnownRevision: known})
	received := time.Now()
	if err != nil {
		return nil, err
	}
	if m.GetError() != "" {
		return nil, meterError(m.GetError())
	}
	a := &answer{revision: m.GetRevision()}
	if known == 0 || a.revision != known {
		if a.zones, err = proto.DecodeZones(m.GetZones()); err != nil {
			return nil, err
		}
		p.zones = len(a.zones)
	}
	if a.readings, err = proto.DecodeReadings(nil, m.GetReadings(), p.zones, received); err != nil {
		return nil, err
	}
	a.uses, a.gauges = proto.DecodeUses(nil, m.GetUses()), proto.DecodeGauges(nil, m.GetGauges())
	return a, nil
}

// client is the client side for hashicorp/go-plugin.
type client struct{ plugin.NetRPCUnsupportedPlugin }

// GRPCServer implements plugin.GRPCPlugin; a host serves nothing.
func (client) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("a host serves no meter")
}

// GRPCClient implements plugin.GRPCPlugin.
func (client) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return meterpb.NewMeterClient(c), nil
}

// lines logs what go-plugin and the plugin print.
type lines struct{ log *slog.Logger }

// Write implements io.Writer; go-hclog writes whole lines.
func (l lines) Write(b []byte) (int, error) {
	level := slog.LevelInfo
	if s := string(b); strings.Contains(s, "[ERROR]") || strings.Contains(s, "[WARN]") {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, strings.TrimSpace(string(b)))
	return len(b), nil
}
