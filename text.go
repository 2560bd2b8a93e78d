package wattle

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// suffix is one accepted unit of a quantity and its factor to the base unit.
type suffix struct {
	unit   string
	factor float64
}

// The tables are switch-free parse rules; the first entry is the canonical
// spelling that String and error messages use.
func joulesUnits() []suffix {
	return []suffix{{"J", 1}, {"mJ", 1e-3}, {"µJ", 1e-6}, {"uJ", 1e-6}, {"nJ", 1e-9}, {"kJ", 1e3}, {"MJ", 1e6}, {"GJ", 1e9}, {"Wh", 3600}, {"kWh", 3.6e6}, {"MWh", 3.6e9}}
}
func wattsUnits() []suffix {
	return []suffix{{"W", 1}, {"mW", 1e-3}, {"µW", 1e-6}, {"uW", 1e-6}, {"nW", 1e-9}, {"kW", 1e3}, {"MW", 1e6}, {"GW", 1e9}}
}
func gramsUnits() []suffix {
	return []suffix{{"g", 1}, {"µg", 1e-6}, {"ug", 1e-6}, {"mg", 1e-3}, {"ng", 1e-9}, {"kg", 1e3}, {"t", 1e6}}
}
func intensityUnits() []suffix {
	return []suffix{{"g/kWh", 1}, {"kg/MWh", 1}, {"kg/kWh", 1e3}, {"lb/MWh", 0.45359237}}
}
func usdUnits() []suffix {
	return []suffix{{"USD", 1}, {"mUSD", 1e-3}, {"µUSD", 1e-6}, {"nUSD", 1e-9}}
}
func bytesUnits() []suffix {
	return []suffix{
		{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
		{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	}
}
func cpuUnits() []suffix { return []suffix{{"m", 1}, {"vCPU", 1000}, {"cores", 1000}} }

// parseUnit reads "<number><unit>", spaces allowed between the two.
func parseUnit(what string, text []byte, units []suffix) (float64, error) {
	s := strings.TrimSpace(string(text))
	i := len(s)
	for j := range len(s) {
		c := s[j]
		exponent := (c == 'e' || c == 'E') && j+1 < len(s) && (s[j+1] == '-' || s[j+1] == '+' || isDigit(s[j+1]))
		sign := (c == '-' || c == '+') && (j == 0 || s[j-1] == 'e' || s[j-1] == 'E')
		if !isDigit(c) && c != '.' && c != '_' && !exponent && !sign {
			i = j
			break
		}
	}
	number, unit := strings.ReplaceAll(s[:i], "_", ""), strings.TrimSpace(s[i:])
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, fmt.Errorf("%s %q: want a number with a unit, for example %q", what, s, "12"+units[0].unit)
	}
	for _, u := range units {
		if u.unit == unit {
			return v * u.factor, nil
		}
	}
	return 0, fmt.Errorf("%s %q: unknown unit %q, want one of %s", what, s, unit, unitNames(units))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func unitNames(units []suffix) string {
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.unit
	}
	return strings.Join(names, ", ")
}

// UnmarshalText reads "250J", "1.2kWh", "3 µJ".
func (j *Joules) UnmarshalText(b []byte) error {
	v, err := parseUnit("energy", b, joulesUnits())
	*j = Joules(v)
	return err
}

// UnmarshalText reads "250W", "1.2kW".
func (w *Watts) UnmarshalText(b []byte) error {
	v, err := parseUnit("power", b, wattsUnits())
	*w = Watts(v)
	return err
}

// UnmarshalText reads "2g", "34.7kg".
func (g *GramsCO2e) UnmarshalText(b []byte) error {
	v, err := parseUnit("emissions", b, gramsUnits())
	*g = GramsCO2e(v)
	return err
}

// UnmarshalText reads "40g/kWh", "900lb/MWh".
func (i *GramsPerKWh) UnmarshalText(b []byte) error {
	v, err := parseUnit("carbon intensity", b, intensityUnits())
	*i = GramsPerKWh(v)
	return err
}

// UnmarshalText reads "0.02USD", "300nUSD" and "$0.02".
func (u *USD) UnmarshalText(b []byte) error {
	if s, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "$"); ok {
		b = []byte(s + "USD")
	}
	v, err := parseUnit("money", b, usdUnits())
	*u = USD(v)
	return err
}

// UnmarshalText reads "1.5GiB", "300MB". The result is rounded to whole bytes.
func (n *Bytes) UnmarshalText(b []byte) error {
	v, err := parseUnit("size", b, bytesUnits())
	*n = Bytes(saturate(v))
	return err
}

// UnmarshalText reads "500m", "2vCPU", and a bare number as vCPUs: "0.5".
func (m *MilliCPU) UnmarshalText(b []byte) error {
	if s := strings.TrimSpace(string(b)); strings.Trim(s, "+-0123456789._eE") == "" && s != "" {
		b = []byte(s + "vCPU")
	}
	v, err := parseUnit("cpu", b, cpuUnits())
	*m = MilliCPU(saturate(v))
	return err
}

// UnmarshalText reads "0.001kWh/GB".
func (k *KWhPerGB) UnmarshalText(b []byte) error {
	v, err := parseUnit("network energy", b, []suffix{{"kWh/GB", 1}, {"Wh/GB", 1e-3}})
	*k = KWhPerGB(v)
	return err
}

// UnmarshalText reads "0.01g/s".
func (r *GramsPerSecond) UnmarshalText(b []byte) error {
	v, err := parseUnit("exchange rate", b, []suffix{{"g/s", 1}, {"mg/s", 1e-3}, {"µg/s", 1e-6}})
	*r = GramsPerSecond(v)
	return err
}

// UnmarshalText reads "500g/USD".
func (r *GramsPerUSD) UnmarshalText(b []byte) error {
	v, err := parseUnit("exchange rate", b, []suffix{{"g/USD", 1}, {"kg/USD", 1e3}})
	*r = GramsPerUSD(v)
	return err
}

// String prints j with an SI prefix and three significant digits.
func (j Joules) String() string { return si(float64(j), "J", true) }

// String prints m as energy with an SI prefix.
func (m Microjoules) String() string { return m.Joules().String() }

// String prints w with an SI prefix.
func (w Watts) String() string { return si(float64(w), "W", true) }

// String prints g in µg, mg, g, kg or t.
func (g GramsCO2e) String() string {
	if math.Abs(float64(g)) >= 1e6 {
		return digits(float64(g)/1e6) + "t"
	}
	return si(float64(g), "g", true)
}

// String prints i as "52g/kWh".
func (i GramsPerKWh) String() string { return digits(float64(i)) + "g/kWh" }

// String prints u as "$0.0123", or with an SI prefix below a cent.
func (u USD) String() string {
	if a := math.Abs(float64(u)); a >= 0.01 || a == 0 {
		return fmt.Sprintf("$%.2f", float64(u))
	}
	return si(float64(u), "USD", false)
}

// String prints b in the largest binary multiple that keeps it above 1.
func (b Bytes) String() string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(b), 0
	for math.Abs(f) >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return digits(f) + units[i]
}

// String prints m as "500m" or "2vCPU".
func (m MilliCPU) String() string {
	if m%1000 == 0 {
		return strconv.FormatInt(int64(m/1000), 10) + "vCPU"
	}
	return strconv.FormatInt(int64(m), 10) + "m"
}

// String prints k as "0.001kWh/GB".
func (k KWhPerGB) String() string { return digits(float64(k)) + "kWh/GB" }

// String prints r as "0.01g/s".
func (r GramsPerSecond) String() string { return digits(float64(r)) + "g/s" }

// String prints r as "500g/USD".
func (r GramsPerUSD) String() string { return digits(float64(r)) + "g/USD" }

// si prints v with the SI prefix that leaves one to three digits before the point.
func si(v float64, unit string, large bool) string {
	a := math.Abs(v)
	switch {
	case v == 0 || math.IsNaN(v) || math.IsInf(v, 0):
		return digits(v) + unit
	case a >= 1e9 && large:
		return digits(v/1e9) + "G" + unit
	case a >= 1e6 && large:
		return digits(v/1e6) + "M" + unit
	case a >= 1e3 && large:
		return digits(v/1e3) + "k" + unit
	case a >= 1:
		return digits(v) + unit
	case a >= 1e-3:
		return digits(v*1e3) + "m" + unit
	case a >= 1e-6:
		return digits(v*1e6) + "µ" + unit
	}
	return digits(v*1e9) + "n" + unit
}

// digits prints three significant digits, but never an exponent or a cut integer part.
func digits(v float64) string {
	a := math.Abs(v)
	if a >= 100 || v == math.Trunc(v) && a < 1e15 {
		return strconv.FormatFloat(v, 'f', -1+boolInt(a >= 100), 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ParseDuration reads a Go duration ("15m", "1h30m") and additionally whole
// days ("12d"), which experiment files use for horizons.
func ParseDuration(s string) (time.Duration, error) {
	t := strings.TrimSpace(s)
	if n, ok := strings.CutSuffix(t, "d"); ok {
		if v, err := strconv.ParseFloat(n, 64); err == nil && v >= 0 && v < 100_000 {
			return time.Duration(math.Round(v * float64(24*time.Hour))), nil
		}
	}
	d, err := time.ParseDuration(t)
	if err != nil {
		return 0, fmt.Errorf("duration %q: want for example \"300ms\", \"15m\" or \"12d\"", t)
	}
	return d, nil
}
