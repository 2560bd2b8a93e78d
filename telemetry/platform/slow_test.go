package platform

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sluggish is a controller on a clock of its own: it answers after delay, and
// never where the document is "~".
type sluggish struct {
	docs  map[string]string
	delay time.Duration
}

func (s *sluggish) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := time.After(s.delay)
	if s.docs[r.URL.Path] == "~" {
		answer = nil
	}
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-answer:
	}
	code := http.StatusOK
	if s.docs[r.URL.Path] == "" {
		code = http.StatusNotFound
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(s.docs[r.URL.Path]))}, nil
}

// listing is the document of a service with n chassis.
func listing(docs map[string]string, n int) {
	members := make([]string, n)
	for i := range members {
		id := "/redfish/v1/Chassis/" + strconv.Itoa(i)
		members[i] = `{"@odata.id":"` + id + `"}`
		docs[id] = `{"EnvironmentMetrics":{"@odata.id":"/em` + strconv.Itoa(i) + `"},"Power":{"@odata.id":"/power` + strconv.Itoa(i) + `"}}`
		docs["/em"+strconv.Itoa(i)] = `{"PowerWatts":{"Reading":` + strconv.Itoa(100+i) + `}}`
		docs["/power"+strconv.Itoa(i)] = `{"PowerControl":[{"PowerConsumedWatts":` + strconv.Itoa(200+i) + `}]}`
	}
	docs["/redfish/v1/Chassis"] = `{"Members":[` + strings.Join(members, ",") + `]}`
}

func slowMeter(t *testing.T, s *sluggish) *Redfish {
	t.Helper()
	r := start(t, DefaultRedfishConfig("https://bmc.example"))
	r.client.http.Transport = s
	return r
}

// The search takes longer than a poll may: twelve chassis at 0.6 s an answer
// are found in 15 s and read in 7.2 s of the 8 s.
func TestSlowControllerIsSearched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sluggish{docs: map[string]string{}, delay: 600 * time.Millisecond}
		listing(s.docs, 12)
		r := slowMeter(t, s)
		begin := time.Now()
		if got, err := once(t, r); err != nil || len(got) != 12 || time.Since(begin) < r.cfg.Timeout {
			t.Fatalf("%d chassis after %v, %v", len(got), time.Since(begin), err)
		}
		begin = time.Now()
		if got, err := once(t, r); err != nil || len(got) != 12 || time.Since(begin) > r.cfg.Timeout {
			t.Errorf("later poll: %d chassis after %v, %v", len(got), time.Since(begin), err)
		}
	})
}

// A resource that hangs costs its own time: where the current API hangs the old
// one is found, of three chassis the others are read, and the cause is named.
func TestHangingResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sluggish{docs: map[string]string{}, delay: 100 * time.Millisecond}
		listing(s.docs, 3)
		s.docs["/em0"] = "~"
		r := slowMeter(t, s)
		if got, err := once(t, r); err != nil || len(got) != 3 || got["chassis-0"] != 200 || got["chassis-1"] != 101 {
			t.Fatalf("the current API hangs: %v, %v", got, err)
		}
		s.docs["/power0"], s.docs["/em1"] = "~", "~"
		if got, err := once(t, r); err != nil || len(got) != 1 || got["chassis-2"] != 102 {
			t.Errorf("two chassis hang: %v, %v", got, err)
		}
		rs, _ := r.Read(context.Background(), nil)
		if err := rs[0].Err; err == nil || !strings.Contains(err.Error(), "raise timeout") {
			t.Errorf("the cause is not named: %v", err)
		}
	})
}

// A chassis that was starting when the others were found is read from the next
// search on; what the others mean does not change by it.
func TestLateChassisIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sluggish{docs: map[string]string{}, delay: time.Millisecond}
		listing(s.docs, 2)
		late := s.docs["/redfish/v1/Chassis/1"]
		delete(s.docs, "/redfish/v1/Chassis/1")
		r := slowMeter(t, s)
		if got, err := once(t, r); err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		s.docs["/redfish/v1/Chassis/1"] = late
		polls := 1
		for got := map[string]float64{}; len(got) < 2 && polls < 100; polls++ {
			got, _ = once(t, r)
		}
		if polls < 20 || polls > searchAgainAfter+1 || r.Bases()["chassis-0"] != Consumed {
			t.Errorf("found after %d polls, %v", polls, r.Bases())
		}
	})
}
