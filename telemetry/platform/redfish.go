package platform

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// RedfishConfig configures a Redfish meter.
type RedfishConfig struct {
	// URL of the service, "https://bmc.example"; http only to a loopback address.
	URL string
	// Chassis names the chassis to read by their ids; empty reads all that show
	// power. Name one where several nodes share an enclosure.
	Chassis []string
	// Interval between two polls, at least MinInterval. Default 15 s.
	Interval time.Duration
	// Timeout of one poll, shared by its chassis, and of each request of a search
	// for them, which may take DiscoverTime in all. Default 8 s.
	Timeout time.Duration
	// Credentials returns user and password; nil asks without.
	Credentials func(context.Context) (user, password string, err error)
	// Session logs in once and sends a token, instead of the password with
	// every request.
	Session bool
	// RootCAs verifies the controller's certificate; nil uses the system's.
	// Verification cannot be switched off: give the controller's own
	// certificate here if it signed itself.
	RootCAs *x509.CertPool
	// Now stamps readings. Default time.Now.
	Now func() time.Time
}

// DefaultRedfishConfig returns the defaults for the controller at url.
func DefaultRedfishConfig(url string) RedfishConfig {
	return RedfishConfig{URL: url, Interval: 15 * time.Second, Timeout: 8 * time.Second, Now: time.Now}
}

// Validate checks the configuration.
func (c RedfishConfig) Validate() error {
	if _, err := parseBase(c.URL); err != nil {
		return err
	}
	switch {
	case c.Now == nil:
		return errors.New("redfish: no clock; use time.Now")
	case c.Session && c.Credentials == nil:
		return errors.New("redfish: a session needs credentials")
	}
	return checkTimes("redfish", c.Interval, c.Timeout)
}

// Redfish meters chassis through a Redfish service. It implements
// telemetry.Meter, telemetry.Runner, telemetry.Poller and telemetry.Prober.
type Redfish struct {
	cfg RedfishConfig
	poller
	client  *client
	failing int      // polls in a row without any figure
	polls   int      // since the last search
	absent  []string // chassis that showed no power at the last search

	found   sync.Mutex
	sources []*source
}

// NewRedfish returns a meter that shows nothing until Run has polled.
func NewRedfish(cfg RedfishConfig) (*Redfish, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	base, err := parseBase(cfg.URL)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		MaxConnsPerHost: 2, IdleConnTimeout: 2 * cfg.Interval, Proxy: http.ProxyFromEnvironment,
	}
	return &Redfish{
		cfg:    cfg,
		poller: poller{interval: cfg.Interval, timeout: DiscoverTime + cfg.Timeout, now: cfg.Now},
		client: &client{
			base: base, cred: cfg.Credentials, session: cfg.Session, limit: cfg.Timeout,
			http: &http.Client{Transport: transport, CheckRedirect: sameHost},
		},
	}, nil
}

// Name returns "redfish".
func (r *Redfish) Name() string { return "redfish" }

// Zones lists one platform zone per chassis that shows power.
func (r *Redfish) Zones() []telemetry.Zone { return r.listed }

// Read appends what Run saw last.
func (r *Redfish) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	return r.read(dst)
}

// Run polls until ctx ends, then gives the session back.
func (r *Redfish) Run(ctx context.Context) error {
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		r.client.logout(end)
		r.client.http.CloseIdleConnections()
	}()
	return r.run(ctx, r.poll)
}

// Poll asks the controller once, for programs that exit after one reading.
// It must not run beside Run.
func (r *Redfish) Poll(ctx context.Context) { r.once(ctx, r.poll) }

// Bases tells for each zone key what its figure means.
func (r *Redfish) Bases() map[string]Basis {
	r.found.Lock()
	defer r.found.Unlock()
	out := map[string]Basis{}
	for _, s := range r.sources {
		out[s.key()] = s.basis
	}
	return out
}

// Probes says which resource each chassis is read from, and what that means.
func (r *Redfish) Probes() []telemetry.Probe {
	r.found.Lock()
	defer r.found.Unlock()
	var out []telemetry.Probe
	for _, s := range r.sources {
		out = append(out, telemetry.Probe{Name: "redfish/" + s.key(), Used: true,
			Reason: fmt.Sprintf("%s of %s: %s", s.field, s.paths[0], s.basis)})
	}
	return out
}

// rediscoverAfter is the number of polls without any figure after which the
// chassis are looked for anew: a firmware update moves resources.
const rediscoverAfter = 3

// DiscoverTime bounds the search for chassis and their resources: dozens of
// requests to a controller that may take a second for each.
const DiscoverTime = 2 * time.Minute

// searchAgainAfter is the number of polls after which chassis that showed no
// power are asked again: one may have been starting.
const searchAgainAfter = 40

// poll reads every chassis, after finding them at first. Each may take half of
// the time that is left, so that one which hangs does not blind the others.
func (r *Redfish) poll(ctx context.Context) ([]observation, error) {
	if err := r.search(ctx); err != nil {
		return nil, r.explain(err)
	}
	var out []observation
	var firstErr error
	left := r.cfg.Timeout
	for i, s := range r.sources {
		most := left
		if i < len(r.sources)-1 {
			most = left / 2
		}
		begin := r.cfg.Now()
		turn, cancel := context.WithTimeout(ctx, most)
		w, err := s.read(turn, r.client)
		cancel()
		left -= r.cfg.Now().Sub(begin)
		if err != nil {
			err = r.explain(err)
		}
		if firstErr == nil {
			firstErr = err
		}
		out = append(out, observation{zone: s.zone(r.sources), power: w, err: err})
	}
	if !anyGood(out) {
		r.failing++
		return nil, firstErr
	}
	r.failing = 0
	return out, nil
}

func anyGood(all []observation) bool {
	for _, o := range all {
		if o.err == nil {
			return true
		}
	}
	return false
}

// explain adds what to do about an error of the controller.
func (r *Redfish) explain(err error) error {
	u := &telemetry.Unavailable{Reason: "the controller at " + r.client.base.Host + " shows no power", Err: err}
	var status *StatusError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &status) && status.Code == http.StatusUnauthorized:
		u.Mend = "check user and password"
	case errors.As(err, &status) && status.Code == http.StatusForbidden:
		u.Mend = "give the user the Login privilege"
	case errors.As(err, &unknown):
		u.Mend = "give the controller's certificate authority, or its own certificate, as trusted"
	case errors.Is(err, context.DeadlineExceeded):
		u.Mend = "the controller is slow: raise timeout and interval"
	}
	return u
}

// search finds the chassis when there are none yet or none answers, and looks
// now and then for those that showed nothing. What is read stays as it is.
func (r *Redfish) search(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, DiscoverTime)
	defer cancel()
	r.polls++
	again := r.polls >= searchAgainAfter && len(r.absent) > 0
	if len(r.sources) > 0 && r.failing < rediscoverAfter && !again {
		return nil
	}
	known, paths := r.sources, r.absent
	if !again || r.failing >= rediscoverAfter {
		var err error
		if paths, err = r.chassis(ctx); err != nil {
			return err
		}
		known = nil
	}
	found, absent, err := r.pickAll(ctx, paths)
	if len(known)+len(found) == 0 {
		return errors.Join(err, errors.New("no chassis shows power"))
	}
	r.found.Lock()
	defer r.found.Unlock()
	r.sources, r.absent = slices.Concat(known, found), absent
	r.failing, r.polls = 0, 0
	return nil
}

// pickAll picks the best source of each chassis, and lists those without.
func (r *Redfish) pickAll(ctx context.Context, paths []string) (found []*source, absent []string, err error) {
	for _, p := range paths {
		s, fault := pick(ctx, r.client, p)
		if fault != nil {
			absent, err = append(absent, p), errors.Join(err, fmt.Errorf("chassis %s: %w", path.Base(p), fault))
			continue
		}
		found = append(found, s)
	}
	return found, absent, err
}

const chassisRoot = "/redfish/v1/Chassis"

// maxChassis bounds the requests of one discovery.
const maxChassis = 64

func (r *Redfish) chassis(ctx context.Context) ([]string, error) {
	var paths []string
	for _, id := range r.cfg.Chassis {
		paths = append(paths, chassisRoot+"/"+id)
	}
	if len(paths) > 0 {
		return paths, nil
	}
	var all struct{ Members []link }
	if err := r.client.get(ctx, chassisRoot, &all); err != nil {
		return nil, err
	}
	for _, m := range all.Members[:min(len(all.Members), maxChassis)] {
		paths = append(paths, m.ID)
	}
	return paths, nil
}

// zone describes the chassis; its parent is the enclosure, if that is read too.
func (s *source) zone(all []*source) telemetry.Zone {
	z := telemetry.Zone{Key: s.key(), Component: wattle.Platform, Socket: -1}
	for _, o := range all {
		if s.within != "" && strings.TrimSuffix(o.chassis, "/") == strings.TrimSuffix(s.within, "/") {
			z.Parent = o.key()
		}
	}
	return z
}

func (s *source) key() string { return "chassis-" + path.Base(s.chassis) }
