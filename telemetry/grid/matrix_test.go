package grid

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

// service is a local server that answers like one provider, in the shape of
// recorded bodies, and can be broken.
type service struct {
	typ, zone string
	other     string // a zone that it answers for by mistake
	period    time.Duration
	// data makes the answer to path: one value per period from from on; "null"
	// is a missing one.
	data func(path, zone string, from time.Time, values []string) string

	mu     sync.Mutex
	from   time.Time
	values []string
	says   string // zone in the answer
	broken *answer
	token  int // WattTime: the number of the valid token
	calls  int
}

func services() []*service {
	return []*service{
		{typ: "electricitymaps", zone: "DE", other: "FR", period: time.Hour, data: emData},
		{typ: "watttime", zone: "US-CAL-CISO", other: "PJM_DC", period: 5 * time.Minute, data: wtData},
		{typ: "neso", zone: "GB-LON", other: "7", period: 30 * time.Minute, data: nesoData},
		{typ: "carbonaware", zone: "DE", other: "westus", period: time.Hour, data: casdkData},
		{typ: "entsoe", zone: "DE", other: "10YFR-RTE------C", period: time.Hour, data: entsoeData},
	}
}

// own is the name that the provider itself gives to the zone.
func (s *service) own() string {
	return map[string]string{"watttime": "CAISO_NORTH", "neso": "13", "entsoe": deEIC, "carbonaware": "DE", "electricitymaps": "DE"}[s.typ]
}

// local prints an instant as the service does: with an offset where it can.
func local(t time.Time) string { return t.Format(time.RFC3339) }

func join(n int, item func(i int) string) string {
	out := make([]string, n)
	for i := range out {
		out[i] = item(i)
	}
	return strings.Join(out, ",")
}

func emData(path, zone string, from time.Time, v []string) string {
	point := func(i int) string {
		return fmt.Sprintf(`{"zone":%q,"carbonIntensity":%s,"datetime":%q,"emissionFactorType":"lifecycle","isEstimated":false}`, zone, v[i], local(from.Add(time.Duration(i)*time.Hour)))
	}
	switch {
	case strings.HasSuffix(path, "latest"):
		return point(len(v) - 1)
	case strings.HasSuffix(path, "forecast"):
		return fmt.Sprintf(`{"zone":%q,"forecast":[%s]}`, zone, join(len(v), point))
	}
	return fmt.Sprintf(`{"zone":%q,"history":[%s]}`, zone, join(len(v), point))
}

func wtData(_, region string, from time.Time, v []string) string {
	return fmt.Sprintf(`{"data":[%s],"meta":{"region":%q,"signal_type":"co2_moer","units":"lbs_co2_per_mwh","data_point_period_seconds":300,"generated_at":%q}}`,
		join(len(v), func(i int) string {
			return fmt.Sprintf(`{"point_time":%q,"value":%s}`, local(from.Add(time.Duration(i)*5*time.Minute)), v[i])
		}), region, local(from))
}

func nesoData(path, region string, from time.Time, v []string) string {
	points := join(len(v), func(i int) string {
		at := from.UTC().Add(time.Duration(i) * 30 * time.Minute)
		return fmt.Sprintf(`{"from":%q,"to":%q,"intensity":{"forecast":%s,"actual":%s,"index":"low"}}`, at.Format(nesoTime), at.Add(30*time.Minute).Format(nesoTime), v[i], v[i])
	})
	if strings.HasPrefix(path, "/regional/") {
		return fmt.Sprintf(`{"data":{"regionid":%s,"data":[%s]}}`, region, points)
	}
	return fmt.Sprintf(`{"data":[%s]}`, points)
}

func casdkData(path, location string, from time.Time, v []string) string {
	if strings.Contains(path, "forecasts") {
		return fmt.Sprintf(`[{"location":%q,"forecastData":[%s]}]`, location, join(len(v), func(i int) string {
			return fmt.Sprintf(`{"location":%q,"timestamp":%q,"duration":60,"value":%s}`, location, local(from.Add(time.Duration(i)*time.Hour)), v[i])
		}))
	}
	return "[" + join(len(v), func(i int) string {
		return fmt.Sprintf(`{"location":%q,"time":%q,"rating":%s,"duration":"01:00:00"}`, location, local(from.Add(time.Duration(i)*time.Hour)), v[i])
	}) + "]"
}

// entsoeData holds megawatts of gas: an hour has 490 g/kWh or is missing.
func entsoeData(_, area string, from time.Time, v []string) string {
	quantities := make([]string, len(v))
	for i := range v {
		if v[i] != "null" {
			quantities[i] = "100"
		}
	}
	if !strings.Contains(strings.Join(quantities, ""), "1") {
		return entsoeNoData
	}
	from = from.UTC()
	doc := entsoeDoc(from.Format(nesoTime), from.Add(time.Duration(len(v))*time.Hour).Format(nesoTime), "PT60M", "B04", quantities...)
	return strings.ReplaceAll(strings.ReplaceAll(doc, "A03", "A01"), deEIC, area)
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/login" {
		s.token++
		fmt.Fprintf(w, `{"token":"t%d"}`, s.token)
		return
	}
	s.calls++
	a := answer{body: s.data(r.URL.Path, s.says, s.from, s.values)}
	switch {
	case s.broken != nil:
		a = *s.broken
	case s.typ == "watttime" && r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", s.token):
		a = answer{status: http.StatusUnauthorized, body: `{"error":"token expired"}`}
	}
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	fmt.Fprint(w, a.body)
}

// set changes what the service answers: n values of v up to the present period.
func (s *service) set(now time.Time, n int, v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = now.Truncate(s.period).Add(-time.Duration(n-1) * s.period)
	s.values = make([]string, n)
	for i := range s.values {
		s.values[i] = v
	}
	s.says, s.broken = s.own(), nil
}

func (s *service) breakWith(a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = a
}

func (s *service) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// rig is a feed over one service.
type rig struct {
	*service
	clock *clock
	feed  *Feed
}

func newRig(t *testing.T, s *service) *rig {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	c := DefaultConfig()
	c.Zones, c.Timeout, c.Jitter = []wattle.ZoneID{wattle.ZoneID(s.zone)}, 5*time.Second, 0
	source := SourceConfig{Type: s.typ, URL: srv.URL, Key: "k3y", User: "u", Password: "p4ss", Rate: 1000, Burst: 1000}
	switch s.typ {
	case "watttime":
		source.Kind, source.Scope = wattle.Marginal, wattle.Direct
	case "neso":
		source.Scope = wattle.Direct
		source.Names = map[wattle.ZoneID]string{"GB-LON": "13"}
	}
	c.Sources = []SourceConfig{source}
	r := &rig{service: s, clock: newClock(noon())}
	var err error
	if r.feed, err = NewFromConfig(c, Options{Now: r.clock.now}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) key() Key { return r.feed.sources[0].desc.key(wattle.ZoneID(r.zone)) }

func (r *rig) signal() wattle.Signal { return r.feed.At(r.key(), r.clock.now()) }

// live says whether s is from the first two steps: NESO's regions have forecasts only.
func live(s wattle.Signal) bool { return s.Quality <= wattle.Forecast }

// condition is one row of the matrix.
type condition struct {
	name string
	run  func(t *testing.T, r *rig)
}

func conditions() []condition {
	status := func(code int, header map[string]string, body string) *answer { return &answer{code, header, body} }
	return []condition{
		{"200", good},
		{"null", nulls},
		{"401 on a burst", burst},
		{"403", fails(status(403, nil, `{"message":"not in your plan"}`), Forbidden, 0)},
		{"404", fails(status(404, nil, "no such thing"), NotFound, 0)},
		{"429 and Retry-After", fails(status(429, map[string]string{"Retry-After": "120"}, ""), Throttled, 2*time.Minute)},
		{"500", fails(status(500, nil, "<html>oops</html>"), ServerFault, 0)},
		{"truncated", truncated},
		{"HTML", fails(status(0, nil, "<!DOCTYPE html><html><body>Please log in</body></html>"), Malformed, 0)},
		{"stale", stale},
		{"day of 23 h", day("2026-03-29", 23)},
		{"day of 25 h", day("2026-10-25", 25)},
		{"wrong zone", wrongZone},
		{"token expiry", tokenExpiry},
	}
}

// TestProviderMatrix runs every provider through every condition; the list of
// what was run is the test's output with -v.
func TestProviderMatrix(t *testing.T) {
	table := &strings.Builder{}
	n := 0
	for _, c := range conditions() {
		fmt.Fprintf(table, "\n%-20s", c.name)
		for _, s := range services() {
			ok := t.Run(s.typ+"/"+c.name, func(t *testing.T) { c.run(t, newRig(t, s)) })
			fmt.Fprintf(table, " %s:%s", s.typ, map[bool]string{true: "ok", false: "FAILED"}[ok])
			n++
		}
	}
	t.Log(table.String())
	if want := 14 * 5; n != want {
		t.Errorf("%d cells, want %d", n, want)
	}
	for _, typ := range SourceTypes() { // a new provider needs its column
		if typ == "csv" {
			continue // a file: see csv_test.go
		}
		found := false
		for _, s := range services() {
			found = found || s.typ == typ
		}
		if !found {
			t.Errorf("provider %s is not in the matrix", typ)
		}
	}
}

func good(t *testing.T, r *rig) {
	r.set(r.clock.now(), 6, "300")
	if err := r.feed.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := r.signal(); !live(s) || !s.Intensity.Valid() || s.Provider != r.typ || s.Zone != wattle.ZoneID(r.zone) {
		t.Errorf("got %+v", s)
	}
}

// nulls: one missing value is left out, nothing but missing ones is a failure,
// and never a number.
func nulls(t *testing.T, r *rig) {
	r.set(r.clock.now(), 6, "300")
	r.values[2] = "null"
	if err := r.feed.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	gap := r.from.Add(2*r.period + r.period/2)
	if s := r.feed.At(r.key(), gap); r.typ != "neso" && live(s) { // a forecast's past is not kept
		t.Errorf("the missing value is served as %+v", s)
	}
	r2 := newRig(t, r.service)
	r2.set(r2.clock.now(), 6, "null")
	if err := r2.feed.Refresh(context.Background()); outcomeOf(err) != Invalid {
		t.Errorf("nothing but null gave %v", err)
	}
	if s := r2.signal(); live(s) || !s.Intensity.Valid() {
		t.Errorf("null became %+v", s)
	}
}

// down makes r lose a service that worked, and checks that a value is served on
// and that the failure is counted.
func down(t *testing.T, r *rig, a *answer, want Outcome) error {
	t.Helper()
	r.set(r.clock.now(), 6, "300")
	if err := r.feed.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := r.signal()
	r.breakWith(a)
	r.clock.advance(31 * time.Minute) // forecasts are due again
	err := r.feed.Refresh(context.Background())
	if outcomeOf(err) != want {
		t.Errorf("outcome %v (%v), want %v", outcomeOf(err), err, want)
	}
	if strings.Contains(err.Error(), "k3y") || strings.Contains(err.Error(), "p4ss") {
		t.Errorf("the error shows a credential: %v", err)
	}
	counted := outcomeTotal(r.feed.Stats(), "actual", want) + outcomeTotal(r.feed.Stats(), "forecast", want)
	if counted == 0 {
		t.Errorf("the outcome %s is not counted", want)
	}
	if s := r.feed.At(r.key(), before.To.Add(-time.Second)); !live(s) || s.Intensity != before.Intensity {
		t.Errorf("the value of before is gone: %+v", s)
	}
	return err
}

func fails(a *answer, want Outcome, after time.Duration) func(*testing.T, *rig) {
	return func(t *testing.T, r *rig) {
		err := down(t, r, a, want)
		if f := new(Failure); errors.As(err, &f) && f.RetryAfter != after {
			t.Errorf("retry after %s, want %s", f.RetryAfter, after)
		}
		if after == 0 {
			return
		}
		n := r.asked()
		r.clock.advance(after - time.Second)
		if err := r.feed.Refresh(context.Background()); outcomeOf(err) != Throttled || r.asked() != n {
			t.Errorf("asked %d times within Retry-After: %v", r.asked()-n, err)
		}
		r.set(r.clock.now(), 6, "310")
		r.clock.advance(2 * time.Second)
		if err := r.feed.Refresh(context.Background()); err != nil || r.asked() == n {
			t.Errorf("after Retry-After: %v, %d requests", err, r.asked()-n)
		}
	}
}

// truncated: cut off within the text, and cut off by the transport.
func truncated(t *testing.T, r *rig) {
	r.set(r.clock.now(), 6, "300")
	whole := r.data("/x", r.own(), r.from, r.values)
	down(t, r, &answer{body: whole[:len(whole)/2]}, Malformed)
	r2 := newRig(t, r.service)
	down(t, r2, &answer{header: map[string]string{"Content-Length": "99999"}, body: whole[:20]}, Unreachable)
}

// burst: a refusal of a right credential silences the source for a moment only.
func burst(t *testing.T, r *rig) {
	down(t, r, &answer{status: 401, body: `{"error":"Unauthorized"}`}, Unauthorized)
	n := r.asked()
	if err := r.feed.Refresh(context.Background()); outcomeOf(err) != Throttled || r.asked() != n {
		t.Errorf("the source was asked again at once: %v", err)
	}
	r.clock.advance(time.Minute)
	r.set(r.clock.now(), 6, "320")
	if err := r.feed.Refresh(context.Background()); err != nil || !live(r.signal()) {
		t.Errorf("it did not recover: %v, %+v", err, r.signal())
	}
}

// stale: a good answer whose newest value ended long ago is no present value.
func stale(t *testing.T, r *rig) {
	r.set(r.clock.now().Add(-10*r.period), 4, "300")
	if err := r.feed.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := r.feed.Stats()
	if outcomeTotal(s, "actual", Stale)+outcomeTotal(s, "forecast", Stale) == 0 {
		t.Errorf("not counted as stale: %+v", s.Sources)
	}
	if got := r.signal(); live(got) || got.Quality == wattle.LastGood {
		t.Errorf("an old value is served as %+v", got)
	}
}

// day serves a local day on which clocks change, with the offsets of Berlin.
func day(date string, hours int) func(*testing.T, *rig) {
	return func(t *testing.T, r *rig) {
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Skip("no time zone data here")
		}
		from, err := time.ParseInLocation(time.DateOnly, date, berlin)
		if err != nil {
			t.Fatal(err)
		}
		n := hours * int(time.Hour/r.period)
		end := from.Add(time.Duration(hours) * time.Hour)
		if !end.Equal(from.AddDate(0, 0, 1)) {
			t.Fatalf("%s is no day of %d h", date, hours)
		}
		r.set(end.Add(-time.Second), n, "300")
		r.from = from
		r.clock.ns.Store(end.Add(-time.Second).UnixNano())
		p := r.feed.sources[0].provider
		points := []Point(nil)
		if a, aerr := p.Actual(context.Background(), wattle.ZoneID(r.zone), time.Time{}); aerr == nil {
			points = a.Points
		} else if f, ferr := p.Forecast(context.Background(), wattle.ZoneID(r.zone)); ferr == nil && errors.Is(aerr, ErrNoActual) {
			points = f.Points
		}
		if len(points) != n || !points[0].From.Equal(from) || !points[n-1].To.Equal(end) {
			t.Fatalf("%d values, want %d from %s to %s", len(points), n, from, end)
		}
		for i := 1; i < n; i++ {
			if !points[i].From.Equal(points[i-1].To) {
				t.Fatalf("value %d begins at %s, the one before ends at %s", i, points[i].From, points[i-1].To)
			}
		}
	}
}

func wrongZone(t *testing.T, r *rig) {
	r.set(r.clock.now(), 6, "300")
	r.says = r.other
	if err := r.feed.Refresh(context.Background()); outcomeOf(err) != WrongZone {
		t.Errorf("an answer for %q gave %v", r.other, err)
	}
	if s := r.signal(); live(s) {
		t.Errorf("the value of another zone is served: %+v", s)
	}
}

// tokenExpiry: WattTime's tokens are renewed before and after they end. The
// others have keys that do not end by themselves: one that is withdrawn and set
// right again must not need a restart.
func tokenExpiry(t *testing.T, r *rig) {
	if r.typ != "watttime" {
		down(t, r, &answer{status: 401}, Unauthorized)
		r.clock.advance(time.Hour)
		r.set(r.clock.now(), 6, "330")
		if err := r.feed.Refresh(context.Background()); err != nil || !live(r.signal()) {
			t.Errorf("with the key in order again: %v, %+v", err, r.signal())
		}
		return
	}
	for i, age := range []time.Duration{0, 24 * time.Minute, 26 * time.Minute, 3 * time.Hour} {
		r.clock.ns.Store(noon().Add(age).UnixNano())
		r.set(r.clock.now(), 6, "300")
		if i == 1 {
			r.token++ // the server ends the token early
		}
		if err := r.feed.Refresh(context.Background()); err != nil || !live(r.signal()) {
			t.Fatalf("after %s: %v", age, err)
		}
	}
}
