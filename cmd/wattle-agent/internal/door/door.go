// Package door is the agent's HTTP server: metrics, health, profiles, and counts
// of invocations that are pushed to it.
package door

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/wattle-project/wattle/telemetry/invocations"
)

// Limits of the server. A scrape is a copy of bytes; whoever is slower than
// this is not served.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	maxPush       = 1 << 20
	drain         = 3 * time.Second
)

// Config is what a Door serves.
type Config struct {
	// Listen is host:port; port 0 picks one.
	Listen string
	// Metrics serves /metrics.
	Metrics http.Handler
	// Alive says why the monitoring loop does not run, Ready why it has nothing
	// to serve yet; nil when all is well.
	Alive, Ready func() error
	// Push takes counts of invocations; nil refuses them.
	Push func(invocations.Batch) error
	// Profiles writes what was learned of functions as JSON; an error says why
	// there is nothing yet. Nil serves none.
	Profiles func(io.Writer) error
	// Now is the clock. Default time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Door is the server.
type Door struct {
	cfg      Config
	listener net.Listener
	server   *http.Server
}

// New returns a Door that does not listen yet.
func New(cfg Config) (*Door, error) {
	if cfg.Metrics == nil || cfg.Alive == nil || cfg.Ready == nil {
		return nil, errors.New("door: metrics or health is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &Door{cfg: cfg}
	d.server = &http.Server{
		Handler: d.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: bodyTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	return d, nil
}

// Listen takes the address, so that a port in use is an error at the start.
func (d *Door) Listen() (net.Addr, error) {
	l, err := net.Listen("tcp", d.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("door: %w: choose another address by --listen", err)
	}
	d.listener = l
	return l.Addr(), nil
}

// Run serves until ctx ends, then lets requests finish.
func (d *Door) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		_ = d.server.Shutdown(wait)
	})
	defer stop()
	if err := d.server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("door: %w", err)
	}
	return nil
}

// Handler routes what the Door serves.
func (d *Door) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", d.cfg.Metrics)
	mux.HandleFunc("GET /healthz", probe(d.cfg.Alive))
	mux.HandleFunc("GET /readyz", probe(d.cfg.Ready))
	mux.HandleFunc("POST /v1/invocations", d.push)
	if d.cfg.Profiles != nil {
		mux.HandleFunc("GET /v1/profiles", d.profiles)
	}
	mux.HandleFunc("GET /{$}", index)
	return mux
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "wattle-agent\n\n/metrics  joules, grams, and how the agent fares\n/healthz  does the monitoring loop run\n/readyz   is any meter read\n/v1/profiles  what functions cost, for \"wattle profile import\"")
}

// profiles answers with a whole document, or 503 with the reason.
func (d *Door) profiles(w http.ResponseWriter, _ *http.Request) {
	var body bytes.Buffer
	if err := d.cfg.Profiles(&body); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = body.WriteTo(w) // who asked may have gone
}

// probe answers 200 "ok", or 503 with the reason.
func probe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// pushBody is the JSON of POST /v1/invocations: what ended since From.
type pushBody struct {
	// From and To bound the counts; To is now and From a second before where
	// they are left out.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Runs []pushRun `json:"runs"`
}

type pushRun struct {
	Namespace string  `json:"namespace"`
	Function  string  `json:"function"`
	Count     float64 `json:"count"`
	Seconds   float64 `json:"seconds"`
	// Cold is left out by who does not know how they began.
	Cold        *float64 `json:"cold"`
	ColdSeconds float64  `json:"cold_seconds"`
}

func (d *Door) push(w http.ResponseWriter, r *http.Request) {
	if d.cfg.Push == nil {
		http.Error(w, "pushing is off: set invocations.push to \"on\", or listen on a loopback address", http.StatusForbidden)
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		http.Error(w, "want Content-Type: application/json", http.StatusUnsupportedMediaType)
		return
	}
	var body pushBody
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPush))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		http.Error(w, "not the JSON of invocations: "+err.Error(), http.StatusBadRequest)
		return
	}
	b, err := batch(&body, d.cfg.Now())
	if err == nil {
		err = d.cfg.Push(b)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// batch checks what was pushed. Counts and seconds are finite in JSON already.
func batch(body *pushBody, now time.Time) (invocations.Batch, error) {
	b := invocations.Batch{From: body.From, To: body.To}
	if b.To.IsZero() {
		b.To = now
	}
	if b.From.IsZero() {
		b.From = b.To.Add(-time.Second)
	}
	switch length := b.To.Sub(b.From); {
	case length <= 0 || length > time.Hour:
		return b, fmt.Errorf("counts of %s: \"from\" must be up to an hour before \"to\"", length)
	case b.To.Sub(now).Abs() > time.Hour:
		return b, fmt.Errorf("counts end at %s, but it is %s here: they must end within an hour of now; are the clocks right?", b.To.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	for i := range body.Runs {
		r := &body.Runs[i]
		c := r.counts()
		switch {
		case r.Function == "" || c.Count < 0 || c.Seconds < 0 || c.Cold < 0 || c.ColdSeconds < 0 || c.Cold > c.Count:
			return b, fmt.Errorf("run of %s/%s: want a function, and count ≥ cold ≥ 0, seconds ≥ 0, cold_seconds ≥ 0", r.Namespace, r.Function)
		case r.Cold == nil && r.ColdSeconds > 0:
			return b, fmt.Errorf("run of %s/%s: cold_seconds without cold: give the number of cold starts too", r.Namespace, r.Function)
		}
		b.Runs = append(b.Runs, invocations.Run{Key: invocations.Key{Namespace: r.Namespace, Function: r.Function}, Counts: c})
	}
	return b, nil
}

func (r *pushRun) counts() invocations.Counts {
	c := invocations.Counts{Count: r.Count, Seconds: r.Seconds, ColdSeconds: r.ColdSeconds}
	if r.Cold == nil {
		c.Untold = r.Count
	} else {
		c.Cold = *r.Cold
	}
	return c
}
