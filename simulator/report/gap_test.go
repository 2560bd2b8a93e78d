package report

import "testing"

func TestGapIsExactForPlansAlone(t *testing.T) {
	for _, c := range []struct {
		b    Bound
		want string
	}{
		{Bound{GapTo: "plan"}, "exact"},
		{Bound{GapTo: "plan", DualityGap: 1e-7}, "exact"},
		{Bound{GapTo: "plan", DualityGap: 0.0717, Unreached: true}, "7.17"},
		{Bound{GapTo: "policy"}, "0.00"},
		{Bound{GapTo: "policy", DualityGap: 0.0049}, "0.49"},
		{Bound{GapTo: "policy", Unreached: true}, "–"},
		{Bound{DualityGap: 0.0021}, "0.21"},
	} {
		if got := c.b.gap().Text; got != c.want {
			t.Errorf("%+v prints %q, want %q", c.b, got, c.want)
		}
	}
}
