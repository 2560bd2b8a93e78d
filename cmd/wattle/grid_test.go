package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// gridServer is the script command "gridserver": a server on the loopback that
// answers like Electricity Maps under /em, WattTime under /wt and NESO under
// /neso; it fails under /500 and answers for another zone under /other. GRIDS is
// its address.
func gridServer(ts *testscript.TestScript, _ bool, _ []string) {
	srv := httptest.NewServer(http.HandlerFunc(serveGrids))
	ts.Defer(srv.Close)
	ts.Setenv("GRIDS", srv.URL)
}

func serveGrids(w http.ResponseWriter, r *http.Request) {
	hour := time.Now().UTC().Truncate(time.Hour)
	service, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch service {
	case "em":
		serveElectricityMaps(w, r, path, hour, r.URL.Query().Get("zone"))
	case "other":
		serveElectricityMaps(w, r, path, hour, "US-CAL-CISO")
	case "wt":
		serveWattTime(w, r, path)
	case "neso":
		serveNESO(w, hour)
	default:
		http.Error(w, "<html>out of order</html>", http.StatusInternalServerError)
	}
}

func serveElectricityMaps(w http.ResponseWriter, r *http.Request, path string, hour time.Time, zone string) {
	if r.Header.Get("auth-token") != "hunter2-em" {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":"no such token: %s"}`, r.Header.Get("auth-token"))
		return
	}
	at := func(h int) string { return hour.Add(time.Duration(h) * time.Hour).Format(time.RFC3339) }
	switch path {
	case "carbon-intensity/history":
		fmt.Fprintf(w, `{"zone":%q,"history":[{"zone":%q,"carbonIntensity":280,"datetime":%q},{"zone":%q,"carbonIntensity":null,"datetime":%q}]}`, zone, zone, at(-2), zone, at(-1))
	case "carbon-intensity/latest":
		fmt.Fprintf(w, `{"zone":%q,"carbonIntensity":302,"datetime":%q,"isEstimated":true}`, zone, at(0))
	default:
		var points []string
		for h := range 30 {
			points = append(points, fmt.Sprintf(`{"carbonIntensity":%d,"datetime":%q}`, 300+h, at(h)))
		}
		fmt.Fprintf(w, `{"zone":%q,"forecast":[%s],"updatedAt":%q}`, zone, strings.Join(points, ","), at(0))
	}
}

func serveWattTime(w http.ResponseWriter, r *http.Request, path string) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:hunter2-wt"))
	switch {
	case path == "login" && r.Header.Get("Authorization") == basic:
		fmt.Fprint(w, `{"token":"jwt"}`)
		return
	case r.Header.Get("Authorization") != "Bearer jwt":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case path == "v3/forecast":
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error":"not in your plan"}`)
		return
	}
	at := time.Now().UTC().Truncate(5 * time.Minute).Format(time.RFC3339)
	fmt.Fprintf(w, `{"data":[{"point_time":%q,"value":1000}],"meta":{"region":%q,"signal_type":%q,"units":"lbs_co2_per_mwh","data_point_period_seconds":300,"generated_at":%q}}`,
		at, r.URL.Query().Get("region"), r.URL.Query().Get("signal_type"), at)
}

func serveNESO(w http.ResponseWriter, hour time.Time) {
	var points []string
	for i := -4; i < 60; i++ {
		from, actual := hour.Add(time.Duration(i)*30*time.Minute), "null"
		if i < 0 {
			actual = "190"
		}
		points = append(points, fmt.Sprintf(`{"from":%q,"to":%q,"intensity":{"forecast":200,"actual":%s,"index":"moderate"}}`,
			from.Format("2006-01-02T15:04Z"), from.Add(30*time.Minute).Format("2006-01-02T15:04Z"), actual))
	}
	fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(points, ","))
}
