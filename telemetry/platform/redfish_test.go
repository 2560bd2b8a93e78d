package platform

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wattle-project/wattle/telemetry"
)

// bmc is a controller with fixed resources; a value "!500" answers that status,
// "@" redirects, "<" starts an answer that is no JSON.
type bmc struct {
	*httptest.Server
	mu       sync.Mutex
	docs     map[string]string
	requests int
	logins   int
	logouts  int
	token    string
	basic    bool
}

func newBMC(t *testing.T, docs map[string]string) *bmc {
	t.Helper()
	b := &bmc{docs: docs}
	b.Server = httptest.NewTLSServer(b)
	b.Config.ErrorLog = nil
	t.Cleanup(b.Close)
	return b
}

func (b *bmc) set(path, doc string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.docs[path] = doc
}

func (b *bmc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	switch {
	case r.Method == http.MethodPost && r.URL.Path == sessions:
		b.login(w, r)
		return
	case r.Method == http.MethodDelete:
		b.logouts++
		return
	case b.token != "" && r.Header.Get("X-Auth-Token") != b.token, b.basic && !goodBasic(r):
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	doc, ok := b.docs[r.URL.Path]
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case strings.HasPrefix(doc, "@"):
		http.Redirect(w, r, doc[1:], http.StatusFound)
	case doc == "!500":
		w.WriteHeader(http.StatusInternalServerError)
	default:
		io.WriteString(w, doc)
	}
}

func (b *bmc) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ UserName, Password string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.UserName != "reader" || in.Password != "secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	b.logins++
	b.token = strings.Repeat("t", b.logins)
	w.Header().Set("X-Auth-Token", b.token)
	w.Header().Set("Location", sessions+"/1")
	w.WriteHeader(http.StatusCreated)
}

func goodBasic(r *http.Request) bool {
	u, p, ok := r.BasicAuth()
	return ok && u == "reader" && p == "secret"
}

func (b *bmc) config() RedfishConfig {
	cfg := DefaultRedfishConfig(b.URL)
	cfg.RootCAs = x509.NewCertPool()
	cfg.RootCAs.AddCert(b.Certificate())
	return cfg
}

func secret(context.Context) (string, string, error) { return "reader", "secret", nil }

// once polls and reads, and returns the watts by zone key.
func once(t *testing.T, r *Redfish) (map[string]float64, error) {
	t.Helper()
	r.Poll(context.Background())
	rs, err := r.Read(context.Background(), nil)
	out := map[string]float64{}
	for _, x := range rs {
		if x.Err == nil {
			out[r.Zones()[x.Zone].Key] = float64(x.Power)
		}
	}
	return out, err
}

func start(t *testing.T, cfg RedfishConfig) *Redfish {
	t.Helper()
	r, err := NewRedfish(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	one      = `{"Members":[{"@odata.id":"/redfish/v1/Chassis/1"}]}`
	modern   = `{"Id":"1","EnvironmentMetrics":{"@odata.id":"/em"},"PowerSubsystem":{"@odata.id":"/ps"},"Power":{"@odata.id":"/power"}}`
	legacy   = `{"Id":"1","Power":{"@odata.id":"/power"}}`
	supplies = `{"Members":[{"@odata.id":"/psu/0"},{"@odata.id":"/psu/1"},{"@odata.id":"/psu/2"}]}`
)

func TestSources(t *testing.T) {
	psu := map[string]string{
		"/redfish/v1/Chassis": one, "/redfish/v1/Chassis/1": modern,
		"/ps": `{"PowerSupplies":{"@odata.id":"/psus"}}`, "/psus": supplies,
		"/psu/0": `{"Status":{"State":"Enabled"},"Metrics":{"@odata.id":"/m/0"}}`,
		"/psu/1": `{"Status":{"State":"Enabled"},"Metrics":{"@odata.id":"/m/1"}}`,
		"/psu/2": `{"Status":{"State":"Absent"}}`,
		"/m/0":   `{"InputPowerWatts":{"Reading":210.5},"OutputPowerWatts":{"Reading":200}}`,
		"/m/1":   `{"InputPowerWatts":{"Reading":190.5},"OutputPowerWatts":{"Reading":180}}`,
	}
	old := map[string]string{"/redfish/v1/Chassis": one, "/redfish/v1/Chassis/1": legacy}
	for name, tc := range map[string]struct {
		base, more map[string]string
		want       float64
		basis      Basis
	}{
		"environment metrics first":         {psu, map[string]string{"/em": `{"PowerWatts":{"Reading":405}}`}, 405, Consumed},
		"null environment: supply inputs":   {psu, map[string]string{"/em": `{"PowerWatts":{"Reading":null}}`}, 401, Input},
		"zero environment: supply inputs":   {psu, map[string]string{"/em": `{"PowerWatts":{"Reading":0}}`}, 401, Input},
		"garbled environment":               {psu, map[string]string{"/em": `{"PowerWatts":`}, 401, Input},
		"html environment":                  {psu, map[string]string{"/em": `<html>`}, 401, Input},
		"a missing input: outputs":          {psu, map[string]string{"/m/1": `{"InputPowerWatts":{"Reading":null},"OutputPowerWatts":{"Reading":180}}`}, 380, Output},
		"a broken supply: legacy resource":  {psu, map[string]string{"/psu/1": "!500", "/power": `{"PowerControl":[{"PowerConsumedWatts":333}]}`}, 333, Consumed},
		"legacy control, first one only":    {old, map[string]string{"/power": `{"PowerControl":[{"PowerConsumedWatts":344},{"PowerConsumedWatts":120}]}`}, 344, Consumed},
		"legacy supply inputs":              {old, map[string]string{"/power": `{"PowerControl":[{}],"PowerSupplies":[{"PowerInputWatts":100,"PowerOutputWatts":90},{"PowerInputWatts":110}]}`}, 210, Input},
		"legacy outputs, last one accepted": {old, map[string]string{"/power": `{"PowerSupplies":[{"PowerOutputWatts":90},{"LastPowerOutputWatts":95},{"Status":{"State":"Absent"}}]}`}, 185, Output},
	} {
		t.Run(name, func(t *testing.T) {
			docs := map[string]string{}
			for _, m := range []map[string]string{tc.base, tc.more} {
				for k, v := range m {
					docs[k] = v
				}
			}
			r := start(t, newBMC(t, docs).config())
			got, err := once(t, r)
			if err != nil || got["chassis-1"] != tc.want || r.Bases()["chassis-1"] != tc.basis {
				t.Fatalf("%v %v %v, want %g W as %v", got, r.Bases(), err, tc.want, tc.basis)
			}
			if p := r.Probes(); len(p) != 1 || !strings.Contains(p[0].Reason, tc.basis.String()) {
				t.Errorf("probes %+v", p)
			}
		})
	}
}

func TestNoFigure(t *testing.T) {
	for name, docs := range map[string]map[string]string{
		"nothing":        {},
		"no chassis":     {"/redfish/v1/Chassis": `{"Members":[]}`},
		"no power":       {"/redfish/v1/Chassis": one, "/redfish/v1/Chassis/1": `{}`},
		"foreign link":   {"/redfish/v1/Chassis": `{"Members":[{"@odata.id":"https://evil.example/redfish/v1/Chassis/1"}]}`},
		"protocol link":  {"/redfish/v1/Chassis": `{"Members":[{"@odata.id":"//evil.example/x"}]}`},
		"redirect away":  {"/redfish/v1/Chassis": "@https://evil.example/"},
		"all in trouble": {"/redfish/v1/Chassis": "!500"},
		"impossible":     {"/redfish/v1/Chassis": one, "/redfish/v1/Chassis/1": legacy, "/power": `{"PowerControl":[{"PowerConsumedWatts":1e9}]}`},
	} {
		r := start(t, newBMC(t, docs).config())
		got, err := once(t, r)
		var u *telemetry.Unavailable
		if len(got) != 0 || !errors.As(err, &u) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if strings.HasSuffix(name, "link") && !strings.Contains(err.Error(), "is not a path of the service") {
			t.Errorf("%s is followed: %v", name, err)
		}
		if name == "redirect away" && !strings.Contains(err.Error(), "refusing the redirect") {
			t.Errorf("%s is followed: %v", name, err)
		}
	}
}

func basicDocs() map[string]string {
	return map[string]string{"/redfish/v1/Chassis": one, "/redfish/v1/Chassis/1": legacy, "/power": `{"PowerControl":[{"PowerConsumedWatts":300}]}`}
}

func TestCertificateIsVerified(t *testing.T) {
	cfg := newBMC(t, basicDocs()).config()
	cfg.RootCAs = x509.NewCertPool()
	_, err := once(t, start(t, cfg))
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "as trusted") {
		t.Fatalf("got %v", err)
	}
}

func TestAuthentication(t *testing.T) {
	b := newBMC(t, basicDocs())
	b.basic = true
	cfg := b.config()
	if _, err := once(t, start(t, cfg)); err == nil || !strings.Contains(err.Error(), "check user and password") {
		t.Fatalf("without credentials: %v", err)
	}
	cfg.Credentials = secret
	if got, err := once(t, start(t, cfg)); err != nil || got["chassis-1"] != 300 {
		t.Fatalf("basic: %v, %v", got, err)
	}
}

func TestSession(t *testing.T) {
	b := newBMC(t, basicDocs())
	cfg := b.config()
	cfg.Credentials, cfg.Session = secret, true
	r := start(t, cfg)
	for range 3 {
		if got, err := once(t, r); err != nil || got["chassis-1"] != 300 {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if b.logins != 1 {
		t.Errorf("%d logins for three polls", b.logins)
	}
	b.mu.Lock()
	b.token = "expired elsewhere"
	b.mu.Unlock()
	if got, err := once(t, r); err != nil || got["chassis-1"] != 300 || b.logins != 2 {
		t.Errorf("after expiry: %v, %v, %d logins", got, err, b.logins)
	}
	r.client.logout(context.Background())
	if b.logouts != 1 {
		t.Errorf("the session was not given back")
	}
}

func TestChassisInsideAnother(t *testing.T) {
	b := newBMC(t, map[string]string{
		"/redfish/v1/Chassis":      `{"Members":[{"@odata.id":"/redfish/v1/Chassis/Tray"},{"@odata.id":"/redfish/v1/Chassis/Rack"},{"@odata.id":"/redfish/v1/Chassis/Fan"}]}`,
		"/redfish/v1/Chassis/Tray": `{"Links":{"ContainedBy":{"@odata.id":"/redfish/v1/Chassis/Rack"}},"EnvironmentMetrics":{"@odata.id":"/tray"}}`,
		"/redfish/v1/Chassis/Rack": `{"EnvironmentMetrics":{"@odata.id":"/rack"}}`,
		"/redfish/v1/Chassis/Fan":  `{}`,
		"/tray":                    `{"PowerWatts":{"Reading":400}}`, "/rack": `{"PowerWatts":{"Reading":900}}`,
	})
	r := start(t, b.config())
	got, err := once(t, r)
	if err != nil || got["chassis-Tray"] != 400 || got["chassis-Rack"] != 900 || r.Zones()[0].Parent != "chassis-Rack" {
		t.Fatalf("%v %v %+v", got, err, r.Zones())
	}
	b.set("/tray", "!500")
	if got, err = once(t, r); err != nil || len(got) != 1 || got["chassis-Rack"] != 900 {
		t.Errorf("one chassis in trouble: %v, %v", got, err)
	}
	cfg := b.config()
	cfg.Chassis = []string{"Rack"}
	if got, err = once(t, start(t, cfg)); err != nil || len(got) != 1 {
		t.Errorf("named chassis: %v, %v", got, err)
	}
}

// The basis is kept: a source that fails is an error, not a change of meaning,
// until the chassis are looked for anew.
func TestBasisIsKept(t *testing.T) {
	docs := basicDocs()
	docs["/power"] = `{"PowerControl":[{"PowerConsumedWatts":300}],"PowerSupplies":[{"PowerOutputWatts":270}]}`
	b := newBMC(t, docs)
	r := start(t, b.config())
	if _, err := once(t, r); err != nil {
		t.Fatal(err)
	}
	b.set("/power", `{"PowerSupplies":[{"PowerOutputWatts":270}]}`)
	for range rediscoverAfter {
		if got, _ := once(t, r); got["chassis-1"] != 300 {
			t.Fatalf("%v, want the last figure of the same meaning", got)
		}
	}
	if got, err := once(t, r); err != nil || got["chassis-1"] != 270 || r.Bases()["chassis-1"] != Output {
		t.Fatalf("after looking anew: %v, %v, %v", got, err, r.Bases())
	}
}

func TestConfigValidation(t *testing.T) {
	for name, edit := range map[string]func(*RedfishConfig){
		"http to another machine": func(c *RedfishConfig) { c.URL = "http://10.0.0.1" },
		"no host":                 func(c *RedfishConfig) { c.URL = "https://" },
		"too often":               func(c *RedfishConfig) { c.Interval = 9 * time.Second },
		"timeout too long":        func(c *RedfishConfig) { c.Timeout = c.Interval },
		"session without user":    func(c *RedfishConfig) { c.Session = true },
		"no clock":                func(c *RedfishConfig) { c.Now = nil },
	} {
		cfg := DefaultRedfishConfig("https://bmc.example")
		edit(&cfg)
		if _, err := NewRedfish(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewRedfish(DefaultRedfishConfig("http://127.0.0.1:8000")); err != nil {
		t.Errorf("loopback: %v", err)
	}
}

// A controller that hangs never delays Read; its last figure ages into an error.
func TestSlowController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answered := false
		p := &poller{interval: 15 * time.Second, timeout: 8 * time.Second, now: time.Now}
		poll := func(ctx context.Context) ([]observation, error) {
			if answered {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			answered = true // and never again
			return []observation{{zone: telemetry.Zone{Key: "chassis-1"}, power: 300}}, nil
		}
		if _, err := p.read(nil); err == nil {
			t.Fatal("read before the first poll")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.run(ctx, poll) }()
		synctest.Wait()
		for i := range 60 {
			begin := time.Now()
			rs, err := p.read(nil)
			if time.Since(begin) != 0 {
				t.Fatal("read waited for the controller")
			}
			stale := i > 45 // the poll at 0 s is the last that answered
			if (err != nil) != stale || len(rs) != 1 || rs[0].HasPower == stale {
				t.Fatalf("%d s: %+v, %v", i, rs, err)
			}
			time.Sleep(time.Second)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
}

func FuzzResources(f *testing.F) {
	for _, s := range []string{one, modern, legacy, supplies, `{"PowerWatts":{"Reading":1e308}}`, `{"PowerControl":[{"PowerConsumedWatts":-1}]}`, `[]`, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &client{http: &http.Client{Transport: canned(body)}, limit: time.Minute}
		c.base, _ = parseBase("https://bmc.example")
		s, err := pick(context.Background(), c, "/redfish/v1/Chassis/1")
		if err != nil {
			return
		}
		if w, err := s.read(context.Background(), c); err == nil && !(w > 0 && w <= maxPlatform) {
			t.Fatalf("%q gives %v", body, w)
		}
	})
}

// canned answers every request with one body.
type canned []byte

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(c)))}, nil
}
