package model

import (
	"fmt"

	"github.com/wattle-project/wattle"
)

// Point is the power of a machine at a load, a fraction from 0 to 1.
type Point struct {
	Load  float64      `yaml:"load"`
	Power wattle.Watts `yaml:"power"`
}

// checkCurve says what cannot be a curve; none at all can.
func checkCurve(c []Point) error {
	if len(c) == 0 {
		return nil
	}
	if len(c) < 2 || c[0].Load != 0 || c[len(c)-1].Load != 1 {
		return fmt.Errorf("model: curve of %d points: want at least two, the first at load 0 and the last at load 1", len(c))
	}
	for i, p := range c {
		if !(p.Power > 0 && p.Power <= most) {
			return fmt.Errorf("model: curve point %d: power %g W is not within 0 to 20 kW", i+1, float64(p.Power))
		}
		if i > 0 && !(p.Load > c[i-1].Load) {
			return fmt.Errorf("model: curve point %d: load %g does not come after %g", i+1, p.Load, c[i-1].Load)
		}
	}
	return nil
}

// between returns the power at a load, linear between the points of c.
func between(c []Point, load float64) wattle.Watts {
	load = clamp(load)
	for i := 1; i < len(c); i++ {
		if a, b := c[i-1], c[i]; load <= b.Load {
			return a.Power + (b.Power - a.Power).Times((load-a.Load)/(b.Load-a.Load))
		}
	}
	return c[len(c)-1].Power
}
