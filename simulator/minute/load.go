package minute

import (
	"archive/zip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// Archive streams the traces in a zip of text files "<class>*<index>.txt", one
// line per minute holding the invocations of that minute (0–9), in the order
// of their names. At most limit minutes of each are read (0: all). The Counts
// of a trace are valid until the next.
func Archive(path string, limit int) iter.Seq2[Trace, error] {
	return func(yield func(Trace, error) bool) {
		z, err := zip.OpenReader(path)
		if err != nil {
			yield(Trace{}, fmt.Errorf("minute traces: %w", err))
			return
		}
		defer z.Close()
		slices.SortFunc(z.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
		var raw, counts []byte
		for _, f := range z.File {
			class, ok := className(f.Name)
			if !ok {
				continue
			}
			raw, err = readMember(f, raw, 2*limit)
			if err == nil {
				counts, err = Counts(raw, counts[:0])
			}
			if !yield(Trace{Name: f.Name, Class: class, Counts: counts}, wrap(f.Name, err)) || err != nil {
				return
			}
		}
	}
}

func wrap(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("trace %s: %w", name, err)
}

func className(file string) (string, bool) {
	base, ok := strings.CutSuffix(filepath.Base(file), ".txt")
	if !ok || strings.HasPrefix(base, "._") { // macOS resource forks
		return "", false
	}
	class, _, ok := strings.Cut(base, "*")
	return class, ok
}

func readMember(f *zip.File, buf []byte, limit int) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return buf, err
	}
	defer r.Close()
	n := int(min(f.UncompressedSize64, 1<<26))
	if limit > 0 {
		n = min(n, limit)
	}
	buf = slices.Grow(buf[:0], n)[:n]
	_, err = io.ReadFull(r, buf)
	return buf, err
}

// Counts parses lines of single digits, appending one count per line to dst.
func Counts(text []byte, dst []uint8) ([]uint8, error) {
	for i := 0; i < len(text); i += 2 {
		c := text[i]
		if c < '0' || c > '9' || i+1 < len(text) && text[i+1] != '\n' {
			return dst, fmt.Errorf("line %d: want one digit per line", i/2+1)
		}
		dst = append(dst, c-'0')
	}
	return dst, nil
}

// serverJSON is an entry of server_info.json.
type serverJSON struct {
	Name     string  `json:"name"`
	Cores    float64 `json:"core"`
	CPU      float64 `json:"ec_cpu"`           // kg
	Memory   float64 `json:"mem"`              // GB
	RAM      float64 `json:"ec_ram"`           // kg
	CPUIdle  float64 `json:"cpu_idle_energy"`  // J in ten minutes
	DRAMIdle float64 `json:"dram_idle_energy"` // J in ten minutes
}

// profileJSON is the entry of a <function>_<server>.metal.json.
type profileJSON struct {
	Cold     float64 `json:"cs"`
	ColdCPU  float64 `json:"cs_energy_cpu"`
	ColdDRAM float64 `json:"cs_energy_dram"`
	Exec     float64 `json:"exe"`
	ExecCPU  float64 `json:"exe_energy_cpu"`
	ExecDRAM float64 `json:"exe_energy_dram"`
}

// Profiles reads measured functions from a folder laid out as EcoLife's
// avg_data, for the named servers in this order.
func Profiles(dir string, servers ...string) (map[string]Class, error) {
	fleet, err := readServers(filepath.Join(dir, "server_info.json"), servers)
	if err != nil {
		return nil, err
	}
	rows, err := readCSV(filepath.Join(dir, "function_mem.csv"))
	if err != nil {
		return nil, err
	}
	out := map[string]Class{}
	for _, row := range rows {
		memory, err := strconv.ParseFloat(row[len(row)-1], 64)
		if err != nil {
			return nil, fmt.Errorf("function_mem.csv: %s: %w", row[0], err)
		}
		c := Class{Memory: wattle.Bytes(memory * float64(wattle.GB))}
		for _, s := range fleet {
			m, err := readMeasured(filepath.Join(dir, row[0]+"_"+s.Name+".metal.json"))
			if err != nil {
				return nil, err
			}
			c.Costs = append(c.Costs, NewCost(m, s, memory))
		}
		out[row[0]] = c
	}
	return out, nil
}

func readServers(path string, names []string) ([]Server, error) {
	var all []serverJSON
	if err := readJSON(path, &all); err != nil {
		return nil, err
	}
	var out []Server
	for _, name := range names {
		i := slices.IndexFunc(all, func(s serverJSON) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("%s: no server %q", path, name)
		}
		s := all[i]
		const kilo, tenMinutes = 1000, 600
		out = append(out, Server{
			Name: s.Name, Cores: s.Cores, Memory: s.Memory,
			CPU: wattle.GramsCO2e(s.CPU * kilo), RAM: wattle.GramsCO2e(s.RAM * kilo),
			CPUIdle: wattle.Watts(s.CPUIdle / tenMinutes), RAMIdle: wattle.Watts(s.DRAMIdle / tenMinutes),
		})
	}
	return out, nil
}

func readMeasured(path string) (Measured, error) {
	var p []profileJSON
	if err := readJSON(path, &p); err != nil {
		return Measured{}, err
	}
	if len(p) != 1 {
		return Measured{}, fmt.Errorf("%s: want one profile, has %d", path, len(p))
	}
	seconds := func(s float64) time.Duration { return time.Duration(s*float64(time.Second) + 0.5) }
	return Measured{
		Cold: seconds(p[0].Cold), Exec: seconds(p[0].Exec),
		ColdCPU: wattle.Joules(p[0].ColdCPU), ColdRAM: wattle.Joules(p[0].ColdDRAM),
		ExecCPU: wattle.Joules(p[0].ExecCPU), ExecRAM: wattle.Joules(p[0].ExecDRAM),
	}, nil
}

func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("profile %s: %w", path, err)
	}
	return nil
}

func readCSV(path string) ([][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", path, err)
	}
	return rows, nil
}

// DirectColumn names the direct (not life-cycle) intensity in the CSV files of
// Electricity Maps.
const DirectColumn = "Carbon Intensity gCO₂eq/kWh (direct)"

// Intensity reads the column named column of a CSV file, hour by hour.
func Intensity(path, column string) ([]wattle.GramsPerKWh, error) {
	rows, err := readCSV(path)
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("table %s: no rows", path)
	}
	i := slices.Index(rows[0], column)
	if i < 0 {
		return nil, fmt.Errorf("table %s: no column %q", path, column)
	}
	out := make([]wattle.GramsPerKWh, 0, len(rows)-1)
	for n, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[i], 64)
		if err != nil || !wattle.GramsPerKWh(v).Valid() {
			return nil, fmt.Errorf("table %s: line %d: intensity %q is not in (0, %g] g/kWh", path, n+2, row[i], float64(wattle.MaxIntensity))
		}
		out = append(out, wattle.GramsPerKWh(v))
	}
	return out, nil
}
