// Package deploy_test holds what is shipped for operators to what the agent does.
package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/wattle-project/wattle/telemetry/kube"
)

// rules is a file of rules of Prometheus.
type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(b, into, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func all(t *testing.T, file string) []rule {
	t.Helper()
	var f rules
	read(t, file, &f)
	var out []rule
	for _, g := range f.Groups {
		out = append(out, g.Rules...)
	}
	if len(out) == 0 {
		t.Fatalf("%s has no rules", file)
	}
	return out
}

// withRecorded is known() with the recording rules.
func withRecorded(t *testing.T) metrics {
	t.Helper()
	m := known()
	for _, r := range all(t, "prometheus/recording.yaml") {
		if err := m.record(r.Record); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestRecordingRulesUseWhatIsExported(t *testing.T) {
	m := withRecorded(t)
	for _, r := range all(t, "prometheus/recording.yaml") {
		labels, wrong := m.check(r.Expr)
		for _, w := range wrong {
			t.Errorf("%s: %s", r.Record, w)
		}
		for _, l := range m[r.Record] {
			if !slices.Contains(labels, l) {
				t.Errorf("%s: its name says %s, its expression does not keep it", r.Record, l)
			}
		}
	}
}

func TestAlertsUseWhatIsExported(t *testing.T) {
	m := withRecorded(t)
	said := regexp.MustCompile(`\$labels\.(\w+)`)
	for _, r := range all(t, "prometheus/alerts.yaml") {
		labels, wrong := m.check(r.Expr)
		for _, w := range wrong {
			t.Errorf("%s: %s", r.Alert, w)
		}
		if r.Annotations["summary"] == "" || r.For == "" || !slices.Contains([]string{"info", "warning", "critical"}, r.Labels["severity"]) {
			t.Errorf("%s lacks a summary, a time or a severity", r.Alert)
		}
		for _, a := range r.Annotations {
			for _, l := range said.FindAllStringSubmatch(a, -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s says $labels.%s, which its expression does not keep", r.Alert, l[1])
				}
			}
		}
	}
}

// Every alert is raised by a test of promtool at least once.
func TestEveryAlertIsTested(t *testing.T) {
	var f struct {
		Tests []struct {
			Alerts []struct {
				Name string `yaml:"alertname"`
				Want []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	b, err := os.ReadFile("prometheus/tests/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	raised := map[string]bool{}
	for _, x := range f.Tests {
		for _, a := range x.Alerts {
			raised[a.Name] = raised[a.Name] || len(a.Want) > 0
		}
	}
	for _, r := range all(t, "prometheus/alerts.yaml") {
		if !raised[r.Alert] {
			t.Errorf("no test raises %s", r.Alert)
		}
	}
}

// dashboard is what the test needs of Grafana's model.
type dashboard struct {
	Title      string  `json:"title"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID      int    `json:"id"`
	Title   string `json:"title"`
	Type    string `json:"type"`
	GridPos struct {
		X, Y, W, H int
	} `json:"gridPos"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	b, err := os.ReadFile("grafana/wattle.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDashboardUsesWhatIsExported(t *testing.T) {
	m, d := known(), readDashboard(t)
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: id twice, no title, or too wide", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, x := range p.Targets {
			if _, wrong := m.check(substitute(x.Expr)); len(wrong) > 0 {
				t.Errorf("panel %q: %s\n%s", p.Title, strings.Join(wrong, "; "), x.Expr)
			}
		}
	}
	for _, v := range d.Templating.List {
		q, _ := v.Query.(map[string]any)
		if s, _ := q["query"].(string); s != "" {
			metric, label, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(s, "label_values("), ")"), ", ")
			if l, ok := m[metric]; !ok || !slices.Contains(append(target(), l...), label) {
				t.Errorf("variable %s: %s does not exist", v.Name, s)
			}
		}
	}
	for _, want := range []string{"Energy", "Carbon and price", "Functions", "Unallocated", "Data quality"} {
		if !slices.ContainsFunc(d.Panels, func(p panel) bool { return p.Type == "row" && p.Title == want }) {
			t.Errorf("no row %q", want)
		}
	}
}

// substitute replaces variables of Grafana by what it would.
func substitute(expr string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$__range", "6h", "$top", "10").Replace(expr)
}

// The check must see what it is there for.
func TestCheckFindsMistakes(t *testing.T) {
	m := withRecorded(t)
	for expr, want := range map[string]string{
		`rate(wattle_node_energy_joule_total[5m])`:                               "unknown metric",
		`sum by (instance) (wattle_node_energy_joules_total{zone="x"})`:          "no label zone",
		`sum by (zone) (wattle_node_energy_joules_total)`:                        "no metric has the label zone",
		`wattle_emissions_grams_total{scope="lifecycled"}`:                       "never",
		`wattle_emissions_grams_total{scope="operational",quality!~"measurd|x"}`: "never",
		`sum by (le) (rate(wattle_invocation_energy_joules[5m]))`:                "no metric has the label le",
		`instance:wattle_nothing:rate5m`:                                         "unknown metric",
		`kube_pod_info`:                                                          "unknown metric",
	} {
		if _, wrong := m.check(expr); !strings.Contains(strings.Join(wrong, "; "), want) {
			t.Errorf("%s: found %q, want %q", expr, wrong, want)
		}
	}
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: package prometheus)")
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	files, _ := filepath.Glob("prometheus/*.yaml")
	promtool(t, append([]string{"check", "rules"}, files...)...)
}

func TestPromtoolTestsPass(t *testing.T) {
	files, _ := filepath.Glob("prometheus/tests/*.yaml")
	if len(files) == 0 {
		t.Fatal("no tests")
	}
	promtool(t, append([]string{"test", "rules"}, files...)...)
}

// Expressions of the dashboard are parsed as if they were rules.
func TestPromtoolAcceptsTheDashboard(t *testing.T) {
	type entry struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []entry
	for _, p := range readDashboard(t).Panels {
		for _, x := range p.Targets {
			rules = append(rules, entry{"panel:" + strings.Repeat("x", len(rules)+1) + ":expr", substitute(x.Expr)})
		}
	}
	b, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

// documents reads all documents of a file of Kubernetes by kind.
func documents(t *testing.T, file string) map[string]map[string]any {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for d := yaml.NewDecoder(bytes.NewReader(b)); ; {
		var doc map[string]any
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		kind, _ := doc["kind"].(string)
		out[kind] = doc
	}
}

// at walks maps and lists by keys and indexes.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok || m[k] == nil {
				t.Fatalf("no %v in %v", p, v)
			}
			v = m[k]
		case int:
			v = v.([]any)[k]
		}
	}
	return v
}

// The agent runs with one capability and writes nowhere.
func TestDaemonSetHasLeastPrivilege(t *testing.T) {
	docs := documents(t, "agent/daemonset.yaml")
	pod := at(t, docs["DaemonSet"], "spec", "template", "spec").(map[string]any)
	if pod["hostPID"] != nil || pod["hostIPC"] != nil {
		t.Error("the pod shares more with the host than its network")
	}
	c := at(t, pod, "containers", 0)
	s := at(t, c, "securityContext").(map[string]any)
	if s["privileged"] != false || s["allowPrivilegeEscalation"] != false || s["readOnlyRootFilesystem"] != true {
		t.Errorf("security context %v", s)
	}
	drop, add := at(t, s, "capabilities", "drop").([]any), at(t, s, "capabilities", "add").([]any)
	if !slices.Equal(drop, []any{"ALL"}) || !slices.Equal(add, []any{"DAC_READ_SEARCH"}) {
		t.Errorf("capabilities: drop %v, add %v", drop, add)
	}
	for _, m := range at(t, c, "volumeMounts").([]any) {
		if at(t, m, "readOnly") != true {
			t.Errorf("mount %v can be written", m)
		}
	}
	verbs := at(t, docs["ClusterRole"], "rules", 0, "verbs").([]any)
	if !slices.Equal(verbs, []any{"get"}) {
		t.Errorf("the role may %v", verbs)
	}
}

// Whatever the agent reads of the host is mounted from where the host has it,
// and nothing else of the host is.
func TestDaemonSetMountsWhatTheAgentReads(t *testing.T) {
	pod := at(t, documents(t, "agent/daemonset.yaml")["DaemonSet"], "spec", "template", "spec")
	c := at(t, pod, "containers", 0)
	from := map[string]string{} // volume to path of the host
	for _, v := range at(t, pod, "volumes").([]any) {
		if h, ok := v.(map[string]any)["hostPath"]; ok {
			from[at(t, v, "name").(string)] = at(t, h, "path").(string)
		}
	}
	got := map[string]string{} // path in the container to path of the host
	for _, m := range at(t, c, "volumeMounts").([]any) {
		if host, ok := from[at(t, m, "name").(string)]; ok {
			got[at(t, m, "mountPath").(string)] = host
		}
	}
	args := map[string]string{}
	for _, a := range at(t, c, "args").([]any) {
		k, v, _ := strings.Cut(a.(string), "=")
		args[k] = v
	}
	resources := path.Dir(kube.DefaultConfig().ResourcesSocket)
	want := map[string]string{args["--sys"]: "/sys", args["--proc"]: "/proc", resources: resources}
	if !maps.Equal(got, want) {
		t.Errorf("mounted are %v, the agent reads %v", got, want)
	}
}

func TestUnitHasLeastPrivilege(t *testing.T) {
	b, err := os.ReadFile("agent/wattle-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		k, v, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#' || line[0] == '[':
		case !ok:
			t.Errorf("no setting: %q", line)
		default:
			have[k] += v
		}
	}
	for k, v := range map[string]string{
		"AmbientCapabilities": "CAP_DAC_READ_SEARCH", "CapabilityBoundingSet": "CAP_DAC_READ_SEARCH",
		"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes",
	} {
		if have[k] != v {
			t.Errorf("%s is %q, want %q", k, have[k], v)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	out, _ := exec.Command(analyze, "verify", "--man=no", "agent/wattle-agent.service").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "is not executable") { // it is not installed here
			t.Errorf("systemd-analyze verify: %s", line)
		}
	}
	// 100 is a unit without any protection.
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=30", "agent/wattle-agent.service").CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}
