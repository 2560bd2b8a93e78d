package platform

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wattle-project/wattle"
)

// Basis says what a figure of a controller means.
type Basis uint8

// Bases. Consumed and Input are drawn from the mains, Output is behind the
// power supplies and leaves their losses out.
const (
	Consumed Basis = iota // the chassis' own figure of what it draws
	Input                 // sum of the inputs of the power supplies
	Output                // sum of the outputs of the power supplies
)

// String returns "consumed", "input" or "output" with its side.
func (b Basis) String() string {
	names := [...]string{"consumed (mains side)", "input of the power supplies (mains side)", "output of the power supplies (without their losses)"}
	if int(b) < len(names) {
		return names[b]
	}
	return "invalid"
}

// Shapes of the Redfish resources that are read (schemas Chassis 1.20,
// EnvironmentMetrics 1.3, PowerSubsystem 1.1, PowerSupplyMetrics 1.1 and the
// deprecated Power 1.7). A figure that is null or absent is a nil pointer.
type (
	link struct {
		ID string `json:"@odata.id"`
	}
	sensor struct{ Reading *float64 }
	status struct{ State string }

	chassisDoc struct {
		Links struct{ ContainedBy link }

		EnvironmentMetrics, PowerSubsystem, Power link
	}
	environmentDoc struct{ PowerWatts sensor }
	subsystemDoc   struct{ PowerSupplies link }
	collectionDoc  struct{ Members []link }
	supplyDoc      struct {
		Status  status
		Metrics link
	}
	metricsDoc struct{ InputPowerWatts, OutputPowerWatts sensor }
	powerDoc   struct {
		PowerControl  []struct{ PowerConsumedWatts *float64 }
		PowerSupplies []legacySupply
	}
	legacySupply struct {
		Status                                                  status
		PowerInputWatts, PowerOutputWatts, LastPowerOutputWatts *float64
	}
)

// errNoFigure is the error of a resource without the figure looked for.
var errNoFigure = errors.New("no figure")

// source is where the power of one chassis is read. The choice is kept: a
// change between mains side and output would look like a change of load.
type source struct {
	chassis, within string
	field           string
	basis           Basis
	paths           []string // resources whose figures are added
	figure          figure
}

// read adds the figures of all resources; one that is missing fails the sum.
func (s *source) read(ctx context.Context, c *client) (wattle.Watts, error) {
	var sum wattle.Watts
	for _, p := range s.paths {
		w, err := s.figure(ctx, c, p)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p, err)
		}
		sum += w
	}
	return plausible(sum)
}

// plausible refuses figures that no running machine has: controllers answer 0
// for "unknown".
func plausible(w wattle.Watts) (wattle.Watts, error) {
	if !(w > 0 && w <= maxPlatform) {
		return 0, fmt.Errorf("%g W is not the power of a running machine", float64(w))
	}
	return w, nil
}

// pick tries the sources of a chassis, mains side before output and the
// current schemas before the deprecated one, and keeps the first that answers.
// Controllers take up to seconds for a resource, so the one that most have is
// tried before the many of the power supplies are looked for.
func pick(ctx context.Context, c *client, at string) (*source, error) {
	var doc chassisDoc
	if err := c.get(ctx, at, &doc); err != nil {
		return nil, err
	}
	var errs []error
	for _, more := range []func(context.Context, *client, chassisDoc) []*source{current, others} {
		for _, s := range more(ctx, c, doc) {
			s.chassis, s.within = at, doc.Links.ContainedBy.ID
			if _, err := s.read(ctx, c); err != nil {
				errs = append(errs, err)
				continue
			}
			return s, nil
		}
	}
	return nil, errors.Join(append(errs, errNoFigure)...)
}

type figure func(context.Context, *client, string) (wattle.Watts, error)

// candidate makes a source, none where there is no path.
func candidate(basis Basis, field string, f figure, paths ...string) []*source {
	if len(paths) == 0 || paths[0] == "" {
		return nil
	}
	return []*source{{basis: basis, field: field, figure: f, paths: paths}}
}

func current(_ context.Context, _ *client, doc chassisDoc) []*source {
	return candidate(Consumed, "EnvironmentMetrics.PowerWatts", environment, doc.EnvironmentMetrics.ID)
}

func others(ctx context.Context, c *client, doc chassisDoc) []*source {
	supplies := metricsPaths(ctx, c, doc.PowerSubsystem.ID)
	return slices.Concat(
		candidate(Input, "PowerSupplyMetrics.InputPowerWatts", supplyInput, supplies...),
		candidate(Consumed, "PowerControl.PowerConsumedWatts", control, doc.Power.ID),
		candidate(Input, "PowerSupplies.PowerInputWatts", legacyInput, doc.Power.ID),
		candidate(Output, "PowerSupplyMetrics.OutputPowerWatts", supplyOutput, supplies...),
		candidate(Output, "PowerSupplies.PowerOutputWatts", legacyOutput, doc.Power.ID),
	)
}

// metricsPaths lists the metrics of the enabled power supplies, none if any of
// the resources on the way is missing.
func metricsPaths(ctx context.Context, c *client, at string) []string {
	var subsystem subsystemDoc
	var all collectionDoc
	if at == "" || c.get(ctx, at, &subsystem) != nil || c.get(ctx, subsystem.PowerSupplies.ID, &all) != nil {
		return nil
	}
	var out []string
	for _, m := range all.Members {
		var s supplyDoc
		if c.get(ctx, m.ID, &s) != nil {
			return nil // a sum over the others would be too small
		}
		if s.Status.enabled() {
			out = append(out, s.Metrics.ID)
		}
	}
	return out
}

// enabled leaves out bays without a supply and supplies that are switched off.
func (s status) enabled() bool { return s.State == "" || s.State == "Enabled" }

func value(v *float64) (wattle.Watts, error) {
	if v == nil {
		return 0, errNoFigure
	}
	return wattle.Watts(*v), nil
}

func environment(ctx context.Context, c *client, at string) (wattle.Watts, error) {
	var d environmentDoc
	if err := c.get(ctx, at, &d); err != nil {
		return 0, err
	}
	return value(d.PowerWatts.Reading)
}

func supplyInput(ctx context.Context, c *client, at string) (wattle.Watts, error) {
	var d metricsDoc
	if err := c.get(ctx, at, &d); err != nil {
		return 0, err
	}
	return value(d.InputPowerWatts.Reading)
}

func supplyOutput(ctx context.Context, c *client, at string) (wattle.Watts, error) {
	var d metricsDoc
	if err := c.get(ctx, at, &d); err != nil {
		return 0, err
	}
	return value(d.OutputPowerWatts.Reading)
}

// control reads the first power control, that of the whole chassis: others
// stand for its processors or memory and must not be added.
func control(ctx context.Context, c *client, at string) (wattle.Watts, error) {
	var d powerDoc
	if err := c.get(ctx, at, &d); err != nil {
		return 0, err
	}
	if len(d.PowerControl) == 0 {
		return 0, errNoFigure
	}
	return value(d.PowerControl[0].PowerConsumedWatts)
}

func legacyInput(ctx context.Context, c *client, at string) (wattle.Watts, error) {
	return legacySum(ctx, c, at, func(s legacySupply) *float64 { return s.PowerInputWatts })
}

func legacyOutput(ctx context.Context, c *client, at string) (wattle.Watts, error) {
	return legacySum(ctx, c, at, func(s legacySupply) *float64 {
		if s.PowerOutputWatts != nil {
			return s.PowerOutputWatts
		}
		return s.LastPowerOutputWatts
	})
}

func legacySum(ctx context.Context, c *client, at string, figure func(legacySupply) *float64) (wattle.Watts, error) {
	var d powerDoc
	if err := c.get(ctx, at, &d); err != nil {
		return 0, err
	}
	var sum wattle.Watts
	n := 0
	for _, s := range d.PowerSupplies {
		if !s.Status.enabled() {
			continue
		}
		w, err := value(figure(s))
		if err != nil {
			return 0, err
		}
		sum, n = sum+w, n+1
	}
	if n == 0 {
		return 0, errNoFigure
	}
	return sum, nil
}
