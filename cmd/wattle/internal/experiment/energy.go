package experiment

import (
	"context"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/bound"
)

// boundEnergy adds the bounds of a seed on energy to those on carbon.
func (e *Experiment) boundEnergy(ctx context.Context, l *Least, c *simulator.Config, o bound.Options, results []*simulator.Result) error {
	b, err := bound.Energy(ctx, c, o)
	if err != nil {
		return err
	}
	own, err := bound.OwnEnergy(ctx, c, results, o.Defers)
	if err != nil {
		return err
	}
	l.energy, l.ownEnergy = append(l.energy, b), append(l.ownEnergy, own)
	return nil
}

// meanJoules is entry n, averaged over seeds.
func meanJoules(bySeed [][]wattle.Joules, n int) float64 {
	sum := 0.0
	for _, of := range bySeed {
		sum += float64(of[n])
	}
	return sum / float64(len(bySeed))
}
