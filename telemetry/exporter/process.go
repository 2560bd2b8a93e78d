package exporter

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
)

// process collects what client_golang's collector does, under the same names, but
// for its network and address space: reading those is a seventh of a scrape.
type process struct {
	cpu, resident, open, most, began *prometheus.Desc
	// constant are those that stay, read once.
	constant func() []prometheus.Metric
}

func newProcess() *process {
	describe := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	p := &process{
		cpu:      describe("process_cpu_seconds_total", "Total user and system CPU time spent in seconds."),
		resident: describe("process_resident_memory_bytes", "Resident memory size in bytes."),
		open:     describe("process_open_fds", "Number of open file descriptors."),
		most:     describe("process_max_fds", "Maximum number of open file descriptors."),
		began:    describe("process_start_time_seconds", "Start time of the process since unix epoch in seconds."),
	}
	p.constant = sync.OnceValue(p.readConstant)
	return p
}

// Describe implements prometheus.Collector.
func (p *process) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.cpu, p.resident, p.open, p.most, p.began} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out, as on
// systems without /proc.
func (p *process) Collect(ch chan<- prometheus.Metric) {
	self, err := procfs.Self()
	if err != nil {
		return
	}
	if s, err := self.Stat(); err == nil {
		ch <- prometheus.MustNewConstMetric(p.cpu, prometheus.CounterValue, s.CPUTime())
		ch <- prometheus.MustNewConstMetric(p.resident, prometheus.GaugeValue, float64(s.ResidentMemory()))
	}
	if n, err := self.FileDescriptorsLen(); err == nil {
		ch <- prometheus.MustNewConstMetric(p.open, prometheus.GaugeValue, float64(n))
	}
	for _, m := range p.constant() {
		ch <- m
	}
}

func (p *process) readConstant() (out []prometheus.Metric) {
	self, err := procfs.Self()
	if err != nil {
		return nil
	}
	if limits, err := self.Limits(); err == nil {
		out = append(out, prometheus.MustNewConstMetric(p.most, prometheus.GaugeValue, float64(limits.OpenFiles)))
	}
	if s, err := self.Stat(); err == nil {
		if began, err := s.StartTime(); err == nil {
			out = append(out, prometheus.MustNewConstMetric(p.began, prometheus.GaugeValue, began))
		}
	}
	return out
}
