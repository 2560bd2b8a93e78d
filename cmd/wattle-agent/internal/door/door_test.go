package door

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle/telemetry/invocations"
)

// get asks a Door that serves profiles.
func get(t *testing.T, profiles func(io.Writer) error) *httptest.ResponseRecorder {
	t.Helper()
	well := func() error { return nil }
	d, err := New(Config{Metrics: http.NotFoundHandler(), Alive: well, Ready: well, Profiles: profiles})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/profiles", nil))
	return w
}

func TestProfilesAreWholeOrNotThere(t *testing.T) {
	whole := get(t, func(w io.Writer) error {
		_, err := io.WriteString(w, "{}")
		return err
	})
	if whole.Code != http.StatusOK || whole.Body.String() != "{}" || whole.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %q", whole.Code, whole.Header(), whole.Body)
	}
	early := get(t, func(w io.Writer) error {
		_, _ = io.WriteString(w, `{"half":`)
		return errors.New("nothing is learned yet")
	})
	if body := early.Body.String(); early.Code != http.StatusServiceUnavailable || !strings.HasPrefix(body, "nothing is learned yet") {
		t.Errorf("%d %q, want 503 with the reason alone", early.Code, body)
	}
	if none := get(t, nil); none.Code != http.StatusNotFound {
		t.Errorf("%d without profiles, want 404", none.Code)
	}
}

// pushed sends body to a Door at noon and returns what it took.
func pushed(t *testing.T, body string) ([]invocations.Batch, *httptest.ResponseRecorder) {
	t.Helper()
	var got []invocations.Batch
	well := func() error { return nil }
	d, err := New(Config{
		Metrics: http.NotFoundHandler(), Alive: well, Ready: well, Now: noon,
		Push: func(b invocations.Batch) error { got = append(got, b); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	r, w := httptest.NewRequest(http.MethodPost, "/v1/invocations", strings.NewReader(body)), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/json")
	d.Handler().ServeHTTP(w, r)
	return got, w
}

func noon() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }

// TestDocumentedPush sends what the documentation says, whatever the day.
func TestDocumentedPush(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/agent.md")
	if err != nil {
		t.Fatal(err)
	}
	_, body, found := strings.Cut(string(page), "/v1/invocations -d \\\n  '")
	body, _, closed := strings.Cut(body, "'")
	if !found || !closed {
		t.Fatal("the page has no example of /v1/invocations")
	}
	got, w := pushed(t, body)
	if w.Code != http.StatusNoContent || len(got) != 1 || len(got[0].Runs) != 1 {
		t.Fatalf("%d %s: %+v", w.Code, w.Body, got)
	}
	want := invocations.Run{Key: invocations.Key{Namespace: "shop", Function: "resize"}, Counts: invocations.Counts{Count: 12, Seconds: 3.1, Cold: 1, ColdSeconds: 0.4}}
	if b := got[0]; b.Runs[0] != want || !b.To.Equal(noon()) || b.To.Sub(b.From) != time.Second {
		t.Errorf("took %+v, want %+v of the last second", b, want)
	}
}

// TestPushIsRefused: where pushing is off, and of anything that a browser may send
// for a page of somebody else.
func TestPushIsRefused(t *testing.T) {
	well := func() error { return nil }
	c := Config{Metrics: http.NotFoundHandler(), Alive: well, Ready: well}
	for _, off := range []bool{true, false} {
		took := 0
		if !off {
			c.Push = func(invocations.Batch) error { took++; return nil }
		}
		d, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		for kind, want := range map[string]int{"application/json": http.StatusNoContent, "application/json; charset=utf-8": http.StatusNoContent, "text/plain": http.StatusUnsupportedMediaType, "": http.StatusUnsupportedMediaType} {
			if off {
				want = http.StatusForbidden
			}
			r, w := httptest.NewRequest(http.MethodPost, "/v1/invocations", strings.NewReader(`{}`)), httptest.NewRecorder()
			r.Header.Set("Content-Type", kind)
			d.Handler().ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("off %v, %q: %d, want %d", off, kind, w.Code, want)
			}
		}
		if took != 2 && !off {
			t.Errorf("off %v: %d batches were taken", off, took)
		}
	}
}

// TestSlowOrLargeRequestsEnd: nobody holds a connection by saying nothing.
func TestSlowOrLargeRequestsEnd(t *testing.T) {
	well := func() error { return nil }
	d, err := New(Config{Metrics: http.NotFoundHandler(), Alive: well, Ready: well})
	if err != nil {
		t.Fatal(err)
	}
	s := d.server
	for name, limit := range map[string]time.Duration{"header": s.ReadHeaderTimeout, "body": s.ReadTimeout, "answer": s.WriteTimeout, "idle": s.IdleTimeout} {
		if limit <= 0 || limit > 2*time.Minute {
			t.Errorf("%s: limit %s", name, limit)
		}
	}
	if s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("a header of %d bytes is read", s.MaxHeaderBytes)
	}
}

func TestPushIsChecked(t *testing.T) {
	for body, want := range map[string]string{
		`{"from":"2026-03-10T11:00:01Z","to":"2026-03-10T11:59:00Z","runs":[{"function":"f","count":2}]}`: "",
		`{"to":"2026-03-10T10:59:59Z"}`:                                    "within an hour of now",
		`{"to":"2026-03-10T13:00:01Z"}`:                                    "within an hour of now",
		`{"from":"2026-03-10T10:59:59Z"}`:                                  "up to an hour before",
		`{"from":"2026-03-10T12:00:00Z"}`:                                  "up to an hour before",
		`{"runs":[{"count":1}]}`:                                           "want a function",
		`{"runs":[{"function":"f","count":-1}]}`:                           "count ≥ cold",
		`{"runs":[{"function":"f","count":1,"cold":2}]}`:                   "count ≥ cold",
		`{"runs":[{"function":"f","count":1,"cold":-1}]}`:                  "count ≥ cold",
		`{"runs":[{"function":"f","count":1,"seconds":-1}]}`:               "seconds ≥ 0",
		`{"runs":[{"function":"f","count":1,"cold":1,"cold_seconds":-1}]}`: "cold_seconds ≥ 0",
		`{"runs":[{"function":"f","count":1,"cold_seconds":1}]}`:           "cold_seconds without cold",
		`{"runs":[{"function":"f","count":1,"warm":1}]}`:                   "unknown field",
		`{"runs":[{"function":"f","count":1e999}]}`:                        "not the JSON of invocations",
		`{"runs":"` + strings.Repeat("x", maxPush) + `"}`:                  "too large",
	} {
		got, w := pushed(t, body)
		if ok := want == ""; ok != (len(got) == 1) || ok != (w.Code == http.StatusNoContent) || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%.80s: %d %q and %d batches, want %q", body, w.Code, w.Body, len(got), want)
		}
		if want == "" && (got[0].Runs[0].Untold != 2 || got[0].Runs[0].Cold != 0) {
			t.Errorf("without cold: %+v, want both untold", got[0].Runs[0])
		}
	}
}
