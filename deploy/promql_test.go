package deploy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/wattle-project/wattle/telemetry/exporter"
)

// metrics knows which labels a metric may have, nil for one that is unknown.
type metrics map[string][]string

// known returns the families of the agent, and what else rules may use.
func known() metrics {
	m := metrics{
		"up":                        {},
		"ALERTS":                    {"alertname", "alertstate", "severity"},
		"process_cpu_seconds_total": {},
	}
	for _, f := range exporter.Catalogue() {
		m[f.Name] = f.Labels
		if f.Type == exporter.HistogramType {
			m[f.Name+"_bucket"] = append(slices.Clone(f.Labels), "le")
			m[f.Name+"_sum"], m[f.Name+"_count"] = f.Labels, f.Labels
		}
	}
	return m
}

// target lists the labels that a scrape adds.
func target() []string { return []string{"instance", "job"} }

// record adds a recorded metric, whose labels its name begins with:
// level:metric:operation.
func (m metrics) record(name string) error {
	parts := strings.Split(name, ":")
	if len(parts) != 3 {
		return fmt.Errorf("%s is not level:metric:operation", name)
	}
	m[name] = strings.Split(parts[0], "_")
	return nil
}

var (
	text     = regexp.MustCompile(`"(?:\\.|[^"\\])*"`)
	name     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	selector = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:\\.|[^"\\])*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	interval = regexp.MustCompile(`\[[^\]]*\]`)
	number   = regexp.MustCompile(`\b[0-9]+(\.[0-9]+)?(e[0-9]+)?\b`)
)

// check returns what an expression uses that does not exist, and the labels
// that its result may have. It is no parser of PromQL: promtool is, where it is
// installed; this knows what promtool does not, namely our metrics.
func (m metrics) check(expr string) (labels []string, wrong []string) {
	labels = target()
	for _, n := range m.used(expr) {
		l, ok := m[n]
		if !ok {
			wrong = append(wrong, "unknown metric "+n)
		}
		labels = append(labels, l...)
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		own := append(target(), m[s[1]]...)
		for _, x := range matcher.FindAllStringSubmatch(s[2], -1) {
			if !slices.Contains(own, x[1]) {
				wrong = append(wrong, fmt.Sprintf("%s has no label %s", s[1], x[1]))
			}
			wrong = append(wrong, values(x[1], x[3])...)
		}
	}
	if groups := grouping.FindAllStringSubmatch(expr, -1); len(groups) > 0 {
		var kept []string
		for _, g := range groups {
			for l := range strings.SplitSeq(g[1], ",") {
				if l = strings.TrimSpace(l); l != "" && !slices.Contains(labels, l) {
					wrong = append(wrong, fmt.Sprintf("no metric has the label %s, by which is grouped", l))
				}
				kept = append(kept, l)
			}
		}
		labels = kept
	}
	return labels, wrong
}

// used lists the metrics of an expression: the names that are no function,
// keyword, label or duration.
func (m metrics) used(expr string) []string {
	expr = text.ReplaceAllString(expr, `""`)
	expr = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(expr, "")
	expr = grouping.ReplaceAllString(expr, "")
	expr = number.ReplaceAllString(interval.ReplaceAllString(expr, ""), "")
	words := []string{"sum", "rate", "increase", "count", "max", "min", "topk", "abs", "time", "or", "and", "unless", "by", "histogram_quantile", "vector", "round", "label_values"}
	var out []string
	for _, n := range name.FindAllString(expr, -1) {
		if !slices.Contains(words, n) && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// values checks the values of a label that can only have some.
func values(label, pattern string) (wrong []string) {
	for _, l := range exporter.Labels() {
		if l.Name != label || l.Values == nil || strings.HasPrefix(pattern, "$") {
			continue
		}
		for v := range strings.SplitSeq(pattern, "|") {
			if !slices.Contains(l.Values, v) {
				wrong = append(wrong, fmt.Sprintf("label %s is never %q", label, v))
			}
		}
	}
	return wrong
}
