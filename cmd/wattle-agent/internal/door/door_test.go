package door

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
