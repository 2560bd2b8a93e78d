package report

import "testing"

func TestGapIsExactForPlansAlone(t *testing.T) {
	for _, c := range []struct {
		b    Bound
		want string
		to   string
	}{
		{Bound{GapTo: "plan"}, "exact", "plan"},
		{Bound{GapTo: "plan", DualityGap: 1e-7}, "exact", "plan"},
		{Bound{GapTo: "plan", DualityGap: 0.0717, Unreached: true}, "7.17", "plan"},
		{Bound{GapTo: "policy"}, "0.00", "policy"},
		{Bound{GapTo: "policy", DualityGap: 0.0049}, "0.49", "policy"},
		{Bound{GapTo: "policy", Unreached: true}, "–", "–"},
		{Bound{DualityGap: 0.0021}, "0.21", "–"},
	} {
		if got := c.b.gap().Text; got != c.want {
			t.Errorf("%+v prints %q, want %q", c.b, got, c.want)
		}
		if got := c.b.to().Text; got != c.to {
			t.Errorf("%+v is to %q, want %q", c.b, got, c.to)
		}
	}
}
