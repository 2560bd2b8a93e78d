package invocations

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Mapping says where a platform keeps its counts. All series are counters that
// only grow; those of one function are added up over their other labels.
type Mapping struct {
	// Platform is a name for messages.
	Platform string
	// Count is the series of finished invocations; "x_count" of a histogram or
	// summary x is a series too.
	Count string
	// Seconds is the series of their summed durations.
	Seconds string
	// Cold and ColdSeconds are the series of cold starts and of the time they
	// took; empty where the platform has none. While a page lacks the series Cold,
	// nothing is known of how invocations began.
	Cold, ColdSeconds string
	// Scale converts durations to seconds; 0 means 1. Milliseconds: 0.001.
	Scale float64
	// Function and Namespace list labels; the first that is set counts.
	Function, Namespace []string
	// Dotted splits a function "name.namespace" at its last dot when no
	// namespace label is set.
	Dotted bool
}

// DefaultMappings returns the mappings of the platforms that are known. Where a
// platform has renamed its series, both generations are listed.
func DefaultMappings() []Mapping {
	knative := func(count, sum string) Mapping {
		return Mapping{
			Platform: "knative", Count: count, Seconds: sum, Scale: 0.001,
			Function:  []string{"service_name", "configuration_name", "revision_name"},
			Namespace: []string{"namespace_name", "namespace"},
		}
	}
	return []Mapping{
		{ // https://docs.openfaas.com/architecture/metrics/
			Platform: "openfaas", Count: "gateway_function_invocation_total", Seconds: "gateway_functions_seconds_sum",
			Function: []string{"function_name"}, Dotted: true,
		},
		knative("revision_request_count", "revision_request_latencies_sum"),         // activator
		knative("revision_app_request_count", "revision_app_request_latencies_sum"), // queue-proxy
		{ // queue-proxy from Serving 1.19 on, in OpenTelemetry's names
			Platform: "knative", Count: "kn_serving_invocation_duration_seconds_count", Seconds: "kn_serving_invocation_duration_seconds_sum",
			Function:  []string{"kn_service_name", "kn_configuration_name", "kn_revision_name", "service"},
			Namespace: []string{"k8s_namespace_name", "namespace"},
		},
		{ // https://fission.io/docs/reference/metrics-reference/
			Platform: "fission", Count: "fission_function_calls_total", Seconds: "fission_function_duration_seconds_sum",
			Cold:     "fission_function_cold_starts_total",
			Function: []string{"function_name", "name"}, Namespace: []string{"function_namespace", "namespace"},
		},
		{ // OpenWhisk core/monitoring/user-events
			Platform: "openwhisk", Count: "openwhisk_action_activations_total", Seconds: "openwhisk_action_duration_seconds_sum",
			Cold: "openwhisk_action_coldStarts_total", ColdSeconds: "openwhisk_action_initTime_seconds_sum",
			Function: []string{"action"}, Namespace: []string{"namespace"},
		},
		{ // Nuclio processor
			Platform: "nuclio", Count: "nuclio_processor_handled_events_total", Seconds: "nuclio_processor_handled_events_duration_milliseconds_sum",
			Scale: 0.001, Function: []string{"function"}, Namespace: []string{"namespace"},
		},
	}
}

func (m Mapping) validate() error {
	switch {
	case m.Count == "" || m.Seconds == "" || len(m.Function) == 0:
		return fmt.Errorf("invocations: mapping %q needs the series of count and seconds and a function label", m.Platform)
	case m.ColdSeconds != "" && m.Cold == "":
		return fmt.Errorf("invocations: mapping %q has seconds of cold starts but no count of them", m.Platform)
	case !(m.Scale >= 0) || math.IsInf(m.Scale, 0):
		return fmt.Errorf("invocations: mapping %q: scale %g: want for example 0.001 for milliseconds", m.Platform, m.Scale)
	}
	return nil
}

func (m Mapping) scale() float64 {
	if m.Scale == 0 {
		return 1
	}
	return m.Scale
}

// Key names a function of a platform.
type Key struct{ Namespace, Function string }

func (k Key) compare(o Key) int {
	if c := strings.Compare(k.Namespace, o.Namespace); c != 0 {
		return c
	}
	return strings.Compare(k.Function, o.Function)
}

// Counts are invocations and the seconds that they ran. Cold and ColdSeconds
// are the start-ups among them; ColdSeconds is the time of starting alone and
// is not part of Seconds. Untold are those of Count of which the platform does
// not tell how they began; they are not among Cold.
type Counts struct{ Count, Seconds, Cold, ColdSeconds, Untold float64 }

// ErrNoSeries says that an endpoint has no series of any mapping.
var ErrNoSeries = errors.New("no series of a known platform")

// Parse reads metrics in Prometheus' text format and returns the totals of each
// function. Values that are no finite positive number are left out.
func Parse(r io.Reader, mappings []Mapping) (map[Key]Counts, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("metrics text: %w", err)
	}
	out, found := map[Key]Counts{}, false
	for _, m := range mappings {
		found = m.collect(families, out) || found
	}
	if !found {
		return nil, fmt.Errorf("%w among %d metrics: is this the endpoint of the gateway or router?", ErrNoSeries, len(families))
	}
	return out, nil
}

// collect adds the series of m to out and reports whether there is any. A
// duration that includes the start-up is split.
func (m Mapping) collect(families map[string]*dto.MetricFamily, out map[Key]Counts) bool {
	own := map[Key]Counts{}
	found := m.series(families, m.Count, func(k Key, v float64) { c := own[k]; c.Count += v; own[k] = c })
	found = m.series(families, m.Seconds, func(k Key, v float64) { c := own[k]; c.Seconds += v * m.scale(); own[k] = c }) || found
	told := m.series(families, m.Cold, func(k Key, v float64) { c := own[k]; c.Cold += v; own[k] = c })
	m.series(families, m.ColdSeconds, func(k Key, v float64) { c := own[k]; c.ColdSeconds += v * m.scale(); own[k] = c })
	for k, c := range own {
		o := out[k]
		o.Count += c.Count
		o.Seconds += math.Max(c.Seconds-c.ColdSeconds, 0)
		o.Cold += c.Cold
		o.ColdSeconds += c.ColdSeconds
		if !told {
			o.Untold += c.Count
		}
		out[k] = o
	}
	return found
}

// series calls add for every sample of one series and reports whether it exists.
func (m Mapping) series(families map[string]*dto.MetricFamily, name string, add func(Key, float64)) bool {
	family, value := lookup(families, name)
	if family == nil {
		return false
	}
	for _, metric := range family.GetMetric() {
		v, ok := value(metric)
		k := m.key(metric.GetLabel())
		if ok && k.Function != "" && v >= 0 && v <= math.MaxFloat32 {
			add(k, v)
		}
	}
	return true
}

// lookup finds a series by its full name, also as part of a histogram or summary.
func lookup(families map[string]*dto.MetricFamily, name string) (*dto.MetricFamily, func(*dto.Metric) (float64, bool)) {
	if name == "" {
		return nil, nil
	}
	if f, ok := families[name]; ok {
		return f, plain
	}
	if base, ok := strings.CutSuffix(name, "_sum"); ok && families[base] != nil {
		return families[base], func(m *dto.Metric) (float64, bool) {
			if h := m.GetHistogram(); h != nil {
				return h.GetSampleSum(), true
			}
			return m.GetSummary().GetSampleSum(), m.GetSummary() != nil
		}
	}
	if base, ok := strings.CutSuffix(name, "_count"); ok && families[base] != nil {
		return families[base], func(m *dto.Metric) (float64, bool) {
			if h := m.GetHistogram(); h != nil {
				return float64(h.GetSampleCount()), true
			}
			return float64(m.GetSummary().GetSampleCount()), m.GetSummary() != nil
		}
	}
	return nil, nil
}

func plain(m *dto.Metric) (float64, bool) {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue(), true
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue(), true
	case m.GetUntyped() != nil:
		return m.GetUntyped().GetValue(), true
	}
	return 0, false
}

func (m Mapping) key(labels []*dto.LabelPair) Key {
	k := Key{Namespace: labelOf(labels, m.Namespace), Function: labelOf(labels, m.Function)}
	if i := strings.LastIndexByte(k.Function, '.'); m.Dotted && k.Namespace == "" && i > 0 {
		k.Function, k.Namespace = k.Function[:i], k.Function[i+1:]
	}
	return k
}

func labelOf(labels []*dto.LabelPair, names []string) string {
	for _, n := range names {
		i := slices.IndexFunc(labels, func(l *dto.LabelPair) bool { return l.GetName() == n && l.GetValue() != "" })
		if i >= 0 {
			return labels[i].GetValue()
		}
	}
	return ""
}
