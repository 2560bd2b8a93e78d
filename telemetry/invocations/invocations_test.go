package invocations

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       map[Key]Counts
	}{
		{"openfaas", `# TYPE gateway_function_invocation_total counter
gateway_function_invocation_total{code="200",function_name="figlet.openfaas-fn"} 40
gateway_function_invocation_total{code="500",function_name="figlet.openfaas-fn"} 2
# TYPE gateway_functions_seconds histogram
gateway_functions_seconds_bucket{code="200",function_name="figlet.openfaas-fn",le="0.1"} 30
gateway_functions_seconds_bucket{code="200",function_name="figlet.openfaas-fn",le="+Inf"} 40
gateway_functions_seconds_sum{code="200",function_name="figlet.openfaas-fn"} 8.5
gateway_functions_seconds_count{code="200",function_name="figlet.openfaas-fn"} 40
`, map[Key]Counts{{"openfaas-fn", "figlet"}: {42, 8.5, 0, 0, 42}}},
		{"openfaas of one namespace, without types", `gateway_function_invocation_total{code="200",function_name="figlet"} 3
gateway_functions_seconds_sum{code="200",function_name="figlet"} 1.5
`, map[Key]Counts{{"", "figlet"}: {3, 1.5, 0, 0, 3}}},
		{"knative activator, milliseconds", `# TYPE revision_request_count counter
revision_request_count{namespace_name="team",service_name="hello",configuration_name="hello",revision_name="hello-00001",response_code="200"} 10
revision_request_count{namespace_name="team",service_name="hello",configuration_name="hello",revision_name="hello-00002",response_code="200"} 5
# TYPE revision_request_latencies histogram
revision_request_latencies_bucket{namespace_name="team",service_name="hello",le="+Inf"} 15
revision_request_latencies_sum{namespace_name="team",service_name="hello"} 3000
revision_request_latencies_count{namespace_name="team",service_name="hello"} 15
`, map[Key]Counts{{"team", "hello"}: {15, 3, 0, 0, 15}}},
		{"knative queue-proxy, OpenTelemetry", `# TYPE kn_serving_invocation_duration_seconds histogram
kn_serving_invocation_duration_seconds_bucket{k8s_namespace_name="team",kn_service_name="hello",le="+Inf"} 7
kn_serving_invocation_duration_seconds_sum{k8s_namespace_name="team",kn_service_name="hello"} 2.25
kn_serving_invocation_duration_seconds_count{k8s_namespace_name="team",kn_service_name="hello"} 7
`, map[Key]Counts{{"team", "hello"}: {7, 2.25, 0, 0, 7}}},
		{"fission, summary of old and cold starts", `# TYPE fission_function_calls_total counter
fission_function_calls_total{namespace="default",name="hello",code="200",path="/hello",method="GET"} 4
# TYPE fission_function_duration_seconds summary
fission_function_duration_seconds{namespace="default",name="hello",quantile="0.5"} 0.1
fission_function_duration_seconds_sum{namespace="default",name="hello"} 0.9
fission_function_duration_seconds_count{namespace="default",name="hello"} 4
fission_function_cold_starts_total{function_namespace="default",function_name="hello"} 1
`, map[Key]Counts{{"default", "hello"}: {4, 0.9, 1, 0, 0}}},
		{"fission, no cold start seen yet", `fission_function_calls_total{namespace="default",name="hello",code="200"} 4
fission_function_duration_seconds_sum{namespace="default",name="hello"} 0.9
`, map[Key]Counts{{"default", "hello"}: {4, 0.9, 0, 0, 4}}},
		{"openwhisk, start-up within the duration", `# TYPE openwhisk_action_activations_total counter
openwhisk_action_activations_total{namespace="guest",initiator="guest",action="hello",kind="nodejs:14",memory="256"} 9
# TYPE openwhisk_action_coldStarts_total counter
openwhisk_action_coldStarts_total{namespace="guest",initiator="guest",action="hello"} 2
# TYPE openwhisk_action_duration_seconds histogram
openwhisk_action_duration_seconds_bucket{namespace="guest",action="hello",le="+Inf"} 9
openwhisk_action_duration_seconds_sum{namespace="guest",action="hello"} 5
openwhisk_action_duration_seconds_count{namespace="guest",action="hello"} 9
# TYPE openwhisk_action_initTime_seconds histogram
openwhisk_action_initTime_seconds_bucket{namespace="guest",action="hello",le="+Inf"} 2
openwhisk_action_initTime_seconds_sum{namespace="guest",action="hello"} 1.5
openwhisk_action_initTime_seconds_count{namespace="guest",action="hello"} 2
`, map[Key]Counts{{"guest", "hello"}: {9, 3.5, 2, 1.5, 0}}},
		{"nuclio", `nuclio_processor_handled_events_total{namespace="n",function="resize",result="success"} 6
nuclio_processor_handled_events_total{namespace="n",function="resize",result="failure"} 1
nuclio_processor_handled_events_duration_milliseconds_sum{namespace="n",function="resize"} 750
`, map[Key]Counts{{"n", "resize"}: {7, 0.75, 0, 0, 7}}},
		{"numbers that are none", `gateway_function_invocation_total{function_name="a"} NaN
gateway_function_invocation_total{function_name="b"} -3
gateway_function_invocation_total{function_name="c"} +Inf
gateway_function_invocation_total{function_name=""} 3
gateway_function_invocation_total{function_name="d"} 1
`, map[Key]Counts{{"", "d"}: {1, 0, 0, 0, 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(c.text), DefaultMappings())
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for k, w := range c.want {
				if got[k] != w {
					t.Errorf("%v: got %+v, want %+v", k, got[k], w)
				}
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	if _, err := Parse(strings.NewReader("go_goroutines 4\n"), DefaultMappings()); !errors.Is(err, ErrNoSeries) {
		t.Errorf("err = %v, want ErrNoSeries", err)
	}
	for _, s := range []string{"<html>", "a{b=\"c\" 4\n", "a 1 2 3\n"} {
		if _, err := Parse(strings.NewReader(s), DefaultMappings()); err == nil || errors.Is(err, ErrNoSeries) {
			t.Errorf("Parse(%q): err = %v, want a syntax error", s, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("gateway_function_invocation_total{function_name=\"a.b\"} 3\ngateway_functions_seconds_sum{function_name=\"a.b\"} 1\n")
	f.Add("# TYPE openwhisk_action_duration_seconds histogram\nopenwhisk_action_duration_seconds_sum{action=\"x\"} 1e308\n")
	f.Add("a 1 2 3\n")
	f.Fuzz(func(t *testing.T, s string) {
		got, _ := Parse(strings.NewReader(s), DefaultMappings())
		for k, c := range got {
			if k.Function == "" || !(c.Count >= 0 && c.Seconds >= 0 && c.Cold >= 0 && c.ColdSeconds >= 0 && c.Untold >= 0 && c.Untold <= c.Count) {
				t.Fatalf("%q gave %v %+v", s, k, c)
			}
		}
	})
}

// gateway is a fake endpoint whose text can be changed.
type gateway struct {
	*httptest.Server
	text   atomic.Value
	status atomic.Int64
}

func newGateway(t *testing.T, text string) *gateway {
	g := &gateway{}
	g.text.Store(text)
	g.status.Store(200)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(g.status.Load()))
		_, _ = io.WriteString(w, g.text.Load().(string))
	}))
	t.Cleanup(g.Close)
	return g
}

func line(function, count, seconds string) string {
	return "gateway_function_invocation_total{function_name=\"" + function + "\"} " + count +
		"\ngateway_functions_seconds_sum{function_name=\"" + function + "\"} " + seconds + "\n"
}

func newScraper(t *testing.T, targets ...string) *Scraper {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Targets = targets
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scrape(t *testing.T, s *Scraper, at int64) Batch {
	t.Helper()
	b, err := s.Scrape(t.Context(), time.Unix(at, 0))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func run(function string, count, seconds float64) Run {
	return Run{Key{"", function}, Counts{Count: count, Seconds: seconds, Untold: count}}
}

func TestDeltasResetsAndNewFunctions(t *testing.T) {
	g := newGateway(t, line("a", "100", "50"))
	s := newScraper(t, g.URL)
	if b := scrape(t, s, 0); len(b.Runs) != 0 {
		t.Errorf("first scrape reports %v: what was counted before is not ours", b.Runs)
	}
	for i, c := range []struct {
		text string
		want []Run
	}{
		{line("a", "103", "51.5"), []Run{run("a", 3, 1.5)}},
		{line("b", "2", "1") + line("a", "103", "51.5"), []Run{run("b", 2, 1)}},                 // a new function began at 0
		{line("b", "2", "1") + line("a", "4", "2"), []Run{run("a", 4, 2)}},                      // the gateway restarted
		{line("b", "3", "1.25"), []Run{run("b", 1, 0.25)}},                                      // a is absent
		{line("b", "3", "1.25") + line("a", "5", "2.5"), []Run{run("a", 1, 0.5)}},               // and back
		{line("b", "4", "2") + line("a", "6", "3"), []Run{run("a", 1, 0.5), run("b", 1, 0.75)}}, // ordered
		{line("b", "4", "2") + line("a", "9", "0.5"), []Run{run("a", 9, 0.5)}},                  // restarted, and fast since
	} {
		g.text.Store(c.text)
		b := scrape(t, s, int64(i+1))
		if !slices.Equal(b.Runs, c.want) {
			t.Errorf("step %d: %v, want %v", i+1, b.Runs, c.want)
		}
		if !b.From.Equal(time.Unix(int64(i), 0)) || !b.To.Equal(time.Unix(int64(i+1), 0)) {
			t.Errorf("step %d: from %s to %s", i+1, b.From, b.To)
		}
	}
}

// A platform shows its count of cold starts with the first of them, and loses it
// when it restarts: what ends in between is not told.
func TestColdStartsComeToBeTold(t *testing.T) {
	page := func(calls, cold string) string {
		text := "fission_function_calls_total{function_name=\"f\"} " + calls + "\n"
		if cold != "" {
			text += "fission_function_cold_starts_total{function_name=\"f\"} " + cold + "\n"
		}
		return text
	}
	g := newGateway(t, page("10", ""))
	s := newScraper(t, g.URL)
	scrape(t, s, 0)
	for i, c := range []struct {
		text string
		want Counts
	}{
		{page("13", ""), Counts{Count: 3, Untold: 3}},
		{page("15", "1"), Counts{Count: 2, Cold: 1}},
		{page("19", "1"), Counts{Count: 4}},
		{page("2", ""), Counts{Count: 2, Untold: 2}}, // restarted
		{page("3", ""), Counts{Count: 1, Untold: 1}},
		{page("4", "0"), Counts{Count: 1}},
		{page("6", ""), Counts{Count: 2, Untold: 2}}, // lost again, with no restart
		{page("7", "3"), Counts{Count: 1, Cold: 3}},
		{page("8", "2"), Counts{Count: 8, Cold: 2}}, // restarted, with many calls since
	} {
		g.text.Store(c.text)
		if b := scrape(t, s, int64(i+1)); len(b.Runs) != 1 || b.Runs[0].Counts != c.want {
			t.Errorf("step %d: %+v, want %+v", i+1, b.Runs, c.want)
		}
	}
}

func TestOneDeadTargetDoesNotBlindTheRest(t *testing.T) {
	g, h := newGateway(t, line("a", "1", "1")), newGateway(t, line("a", "10", "10"))
	s := newScraper(t, g.URL, h.URL)
	scrape(t, s, 0)
	g.text.Store(line("a", "2", "2"))
	h.text.Store(line("a", "12", "11"))
	h.status.Store(503)
	if b := scrape(t, s, 1); b.Failed != 1 || b.Late || !slices.Equal(b.Runs, []Run{run("a", 1, 1)}) {
		t.Errorf("batch %+v, want what the first target counted", b)
	}
	h.status.Store(200)
	if b := scrape(t, s, 2); b.Failed != 0 || !b.Late || !slices.Equal(b.Runs, []Run{run("a", 2, 1)}) {
		t.Errorf("batch %+v, want what the second target counted meanwhile", b)
	}
	g.status.Store(500)
	h.status.Store(500)
	if _, err := s.Scrape(t.Context(), time.Unix(3, 0)); err == nil {
		t.Error("no target answered and there is no error")
	}
	g.status.Store(200)
	if b := scrape(t, s, 4); !b.From.Equal(time.Unix(2, 0)) || b.Late {
		t.Errorf("interval starts at %s (late: %v), want 2: the failed scrape does not end it", b.From, b.Late)
	}
	h.status.Store(200)
	if b := scrape(t, s, 5); !b.Late {
		t.Error("what the second target counted before 4 is taken for that of the last second")
	}
	if b := scrape(t, s, 6); b.Late {
		t.Error("late for ever")
	}

	// Of one that answers for the first time it is not known what it counted before.
	s = newScraper(t, g.URL, h.URL)
	h.status.Store(500)
	scrape(t, s, 0)
	scrape(t, s, 1)
	h.status.Store(200)
	if b := scrape(t, s, 2); b.Late || len(b.Runs) != 0 {
		t.Errorf("batch %+v, want where counting of the second target begins", b)
	}
}

// TestSilentTargetCostsATimeout, and not the counts of the others.
func TestSilentTargetCostsATimeout(t *testing.T) {
	g := newGateway(t, line("a", "1", "1"))
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hangs.Close()
	cfg := DefaultConfig()
	cfg.Targets, cfg.Timeout = []string{g.URL, hangs.URL}, 100*time.Millisecond
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if b, err := s.Scrape(ctx, time.Unix(0, 0)); err != nil || b.Failed != 1 || ctx.Err() != nil {
		t.Errorf("%+v, %v, %v; want one target that did not answer in time", b, err, ctx.Err())
	}
}

// TestDottedNames: a function's name is cut at its last dot where no label names
// the namespace.
func TestDottedNames(t *testing.T) {
	m := []Mapping{{Platform: "x", Count: "calls_total", Seconds: "seconds_sum", Function: []string{"fn"}, Namespace: []string{"ns"}, Dotted: true}}
	got, err := Parse(strings.NewReader("calls_total{fn=\"a.b.c\"} 1\ncalls_total{fn=\"a.b\",ns=\"n\"} 2\ncalls_total{fn=\"a\"} 3\n"), m)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[Key]float64{{"c", "a.b"}: 1, {"n", "a.b"}: 2, {"", "a"}: 3} {
		if got[k].Count != want {
			t.Errorf("%v: %v, want %g of %v", k, got[k], want, got)
		}
	}
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"nothing served yet": {"go_goroutines 4\n", ""},
		"empty":              {"", ""},
		"html":               {"<html>", "metrics text"},
		"too long":           {line("a", "1", "1") + "# " + strings.Repeat("x", 2000) + "\n", "exceeds 1000 bytes: raise the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, c.text)
			cfg := DefaultConfig()
			cfg.Targets, cfg.MaxBytes = []string{g.URL}, 1000
			s, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Scrape(t.Context(), time.Unix(0, 0)); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want %q", err, c.want)
			}
		})
	}
}

// canned answers without a network, so that time can be simulated.
type canned func() (string, error)

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := c()
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		n := 0
		cfg := DefaultConfig()
		cfg.Targets = []string{"http://gateway/metrics"}
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		cfg.Client = &http.Client{Transport: canned(func() (string, error) {
			n++
			if n >= 4 && n <= 6 {
				return "", errors.New("connection refused")
			}
			return line("a", strings.Repeat("1", n), "1"), nil
		})}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var spans []time.Duration
		ctx, cancel := context.WithTimeout(t.Context(), 7500*time.Millisecond)
		defer cancel()
		if err := s.Run(ctx, func(b Batch) { spans = append(spans, b.To.Sub(b.From)) }); err != nil {
			t.Error(err)
		}
		if want := []time.Duration{time.Second, time.Second, 4 * time.Second, time.Second}; !slices.Equal(spans, want) {
			t.Errorf("batches of %v, want %v", spans, want)
		}
		if k := strings.Count(log.String(), "not counted"); k != 1 {
			t.Errorf("%d log lines for one failure", k)
		}
	})
}

func TestConfig(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no target": func(c *Config) { c.Targets = nil },
		"target":    func(c *Config) { c.Targets = []string{"gateway:8080"} },
		"every":     func(c *Config) { c.Every = 0 },
		"client":    func(c *Config) { c.Client = nil },
		"mapping":   func(c *Config) { c.Mappings = []Mapping{{Count: "x"}} },
		"scale":     func(c *Config) { c.Mappings[0].Scale = -1 },
		"cold":      func(c *Config) { c.Mappings[0].ColdSeconds = "x" },
	} {
		c := DefaultConfig()
		c.Targets = []string{"http://x/metrics"}
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
