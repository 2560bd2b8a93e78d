package gpu

import (
	"fmt"
	"strconv"
	"strings"
)

// Profile is a MIG profile name taken apart, such as "1g.10gb",
// "1g.10gb+me" or "2c.3g.40gb".
type Profile struct {
	Compute int // compute slices of the compute instance ("c", else "g")
	GPU     int // slices of the GPU instance ("g")
	Memory  int // GB
}

// ParseProfile reads a profile name; a "MIG " prefix and attributes after "+"
// or "-" are accepted, as nvidia-smi and dcgm-exporter print them.
func ParseProfile(s string) (Profile, error) {
	name := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), "mig ")
	name, _, _ = strings.Cut(name, "+")
	name, _, _ = strings.Cut(name, "-")
	var p Profile
	for part := range strings.SplitSeq(name, ".") {
		if err := p.take(part); err != nil {
			return Profile{}, fmt.Errorf("mig profile %q: %w", s, err)
		}
	}
	if p.GPU == 0 || p.Compute > p.GPU {
		return Profile{}, fmt.Errorf("mig profile %q: want a name such as 1g.10gb or 2c.3g.40gb", s)
	}
	if p.Compute == 0 {
		p.Compute = p.GPU
	}
	return p, nil
}

func (p *Profile) take(part string) error {
	digits := strings.TrimRight(part, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > 1024 || digits[0] == '+' {
		return fmt.Errorf("part %q is not a count with a unit", part)
	}
	switch part[len(digits):] {
	case "c":
		p.Compute = n
	case "g":
		p.GPU = n
	case "gb":
		p.Memory = n
	default:
		return fmt.Errorf("part %q has an unknown unit, want c, g or gb", part)
	}
	return nil
}

// BoardSlices is the number of compute slices of a whole board: 4 for an A30,
// 7 for every other board that can be divided (NVIDIA MIG User Guide,
// "Supported MIG profiles").
func BoardSlices(model string) int {
	if strings.Contains(strings.ToUpper(model), "A30") {
		return 4
	}
	return 7
}
