package trace

import (
	"io"

	"github.com/wattle-project/wattle/simulator/trace/tabular"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

func identityHash(name []byte) uint64 { return random.Hash(name) }

// weighted sums measurements over days, weighted by their number of samples.
type weighted struct {
	samples, sum float64
	percentiles  [7]float64
}

func (w *weighted) mean() float64 {
	if w.samples == 0 {
		return 0
	}
	return w.sum / w.samples
}

func (w *weighted) percentile(i int) float64 {
	if w.samples == 0 {
		return 0
	}
	return w.percentiles[i] / w.samples
}

func (w *weighted) add(samples, mean float64) {
	w.samples += samples
	w.sum += float64(samples * mean)
}

// readDurations adds one day's execution times in ms; f may be nil.
func (t *azureTable) readDurations(f *tabular.File, sums []weighted) error {
	return eachRow(f, func(r *tabular.Reader, at []int) error {
		id := identity{appKey(r.Field(at[0]), r.Field(at[1])), identityHash(r.Field(at[2]))}
		samples, err := r.Float(at[4], 0, 1e15)
		if err != nil {
			return err
		}
		mean, err := r.Float(at[3], 0, 1e12)
		if err != nil {
			return err
		}
		var p [7]float64
		for i := range p {
			// A few published values are negative; a percentile is never below
			// the one before it.
			if p[i], err = r.Float(at[5+i], -1e12, 1e12); err != nil {
				return err
			}
			p[i] = max(p[i], 0)
			if i > 0 {
				p[i] = max(p[i], p[i-1])
			}
		}
		row, ok := t.rows[id]
		if !ok {
			return nil // not invoked in the window
		}
		sums[row].add(samples, mean)
		for i := range p {
			sums[row].percentiles[i] += float64(samples * p[i])
		}
		return nil
	}, "HashOwner", "HashApp", "HashFunction", "Average", "Count",
		"percentile_Average_0", "percentile_Average_1", "percentile_Average_25", "percentile_Average_50",
		"percentile_Average_75", "percentile_Average_99", "percentile_Average_100")
}

// readMemory adds one day's allocated MB per application; f may be nil.
func readMemory(f *tabular.File, sums map[uint64]*weighted) error {
	return eachRow(f, func(r *tabular.Reader, at []int) error {
		samples, err := r.Float(at[2], 0, 1e15)
		if err != nil {
			return err
		}
		mean, err := r.Float(at[3], 0, 1e9)
		if err != nil {
			return err
		}
		if w := sums[appKey(r.Field(at[0]), r.Field(at[1]))]; w != nil {
			w.add(samples, mean)
		}
		return nil
	}, "HashOwner", "HashApp", "SampleCount", "AverageAllocatedMb")
}

// eachRow calls fn with the positions of the named columns for every record.
func eachRow(f *tabular.File, fn func(*tabular.Reader, []int) error, columns ...string) error {
	if f == nil {
		return nil
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	r := tabular.NewReader(f.Name, in)
	at, err := r.ReadHeader(columns...)
	if err != nil {
		return err
	}
	for {
		if _, err := r.Read(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := fn(r, at); err != nil {
			return err
		}
	}
}
