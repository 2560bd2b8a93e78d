package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wattle-project/wattle"
)

// Container is one container of a pod on this node.
type Container struct {
	ID, Name          string
	Pod, PodNamespace string
	PodUID            string
	Named                             // Function is empty when no rule matched
	CPU               wattle.MilliCPU // reserved
	Memory            wattle.Bytes    // reserved
	Devices           []Device        // must not be changed
	leftAt            time.Time       // zero while it is listed
}

// Map is what was known at one time. It never changes.
type Map struct {
	byID  map[string]*Container
	byPod map[string]*Container // the pod as a whole: sums of what it reserves
	list  []*Container
	at    time.Time
	err   error
}

// Container finds a container by its full id.
func (m *Map) Container(id string) (*Container, bool) {
	c, ok := m.byID[id]
	return c, ok
}

// Pod finds a pod by UID, as an entry without container id and reservations:
// for what runs in a pod beside its known containers.
func (m *Map) Pod(uid string) (*Container, bool) {
	c, ok := m.byPod[uid]
	return c, ok
}

// Containers returns all containers that were listed at At. The slice must not
// be changed.
func (m *Map) Containers() []*Container { return m.list }

// At is when the kubelet was last asked with success; zero if never.
func (m *Map) At() time.Time { return m.at }

// Err says why the last refresh failed in whole or in part, or is nil.
func (m *Map) Err() error { return m.err }

// Mapper keeps a Map up to date.
type Mapper struct {
	cfg     Config
	current atomic.Pointer[Map]
	client  *http.Client
	wake    chan struct{}

	mu     sync.Mutex
	missed map[string]time.Time // what was unknown, to when it was first
}

// New returns a Mapper with an empty Map. It asks nobody before Run or Refresh.
func New(cfg Config) (*Mapper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Mapper{cfg: cfg, wake: make(chan struct{}, 1), missed: map[string]time.Time{}}
	m.current.Store(&Map{})
	return m, nil
}

// Current returns the latest Map, at once and without allocation.
func (m *Mapper) Current() *Map { return m.current.Load() }

// Unknown says that the Map lacks a container (by id) or a pod (by
// "namespace/name") that is there. Run then asks the kubelet before its turn, at
// most once a second, and in vain for Config.Every from the first time on. It
// does not wait.
func (m *Mapper) Unknown(key string) {
	if !m.miss(key, time.Now()) {
		return
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// miss tells whether it is worth asking for key out of turn.
func (m *Mapper) miss(key string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	since, again := m.missed[key]
	if !again {
		since = now
		m.missed[key] = now
	}
	return now.Sub(since) < m.cfg.Every
}

// forget drops what was missed long ago; most of it is known by now.
func (m *Mapper) forget(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.missed, func(_ string, since time.Time) bool { return now.Sub(since) > m.cfg.Every+m.cfg.Keep })
}

// soonest is the least time between two refreshes.
const soonest = time.Second

// rest waits for the turn, or for somebody who misses something, and is false
// when ctx ends.
func (m *Mapper) rest(ctx context.Context, turn <-chan time.Time) bool {
	pause := time.NewTimer(soonest)
	defer pause.Stop()
	select {
	case <-m.wake: // from before the last answer
	default:
	}
	select {
	case <-ctx.Done():
		return false
	case <-turn:
		return true
	case <-m.wake:
	}
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
		return true
	}
}

// Run refreshes until ctx ends. A refresh that fails is logged when the reason
// changes, and what was known stays known.
func (m *Mapper) Run(ctx context.Context) error {
	tick := time.NewTicker(m.cfg.Every)
	defer tick.Stop()
	last := ""
	for {
		err := m.Refresh(ctx, time.Now())
		if text := fmt.Sprint(err); err != nil && text != last && ctx.Err() == nil {
			m.cfg.Log.Warn("functions of containers are not up to date", "err", err)
		}
		last = fmt.Sprint(err)
		m.forget(time.Now())
		if !m.rest(ctx, tick.C) {
			return nil
		}
	}
}

// Refresh asks the kubelet once. Devices that cannot be had leave the pods
// usable; the error says so all the same. It must not be called concurrently.
func (m *Mapper) Refresh(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timeout)
	defer cancel()
	old := m.Current()
	pods, err := m.pods(ctx)
	if err != nil {
		err = fmt.Errorf("kube: %w", err)
		kept := *old
		kept.err = err
		m.current.Store(&kept)
		return err
	}
	var held map[owner][]Device
	if m.cfg.ResourcesSocket != "" {
		if held, err = devices(ctx, m.cfg.ResourcesSocket, int(m.cfg.MaxBytes)); err != nil {
			err = fmt.Errorf("kube: %w", err)
		}
	}
	next := build(pods, m.cfg.Rules, held)
	next.at, next.err = now, err
	next.inherit(old, now, m.cfg.Keep)
	m.current.Store(next)
	return err
}

func build(pods []pod, rules []Rule, held map[owner][]Device) *Map {
	m := &Map{byID: map[string]*Container{}, byPod: map[string]*Container{}}
	for i := range pods {
		p := &pods[i]
		cs := p.containers(rules)
		for k := range cs {
			c := &cs[k]
			c.Devices = held[owner{c.PodNamespace, c.Pod, c.Name}]
			m.byID[c.ID] = c
			m.list = append(m.list, c)
		}
		m.addPod(p, rules)
	}
	return m
}

// addPod enters the pod under its UID and, for a static pod, under the hash that
// its cgroup is named by.
func (m *Map) addPod(p *pod, rules []Rule) {
	c := &Container{Pod: p.Metadata.Name, PodNamespace: p.Metadata.Namespace, PodUID: p.Metadata.UID}
	c.Named, _ = Name(rules, p.Metadata.Namespace, p.Metadata.Name, p.Metadata.Labels, p.Metadata.Annotations)
	if c.Namespace == "" {
		c.Namespace = p.Metadata.Namespace
	}
	for _, uid := range []string{p.Metadata.UID, p.Metadata.Annotations[mirrorHash]} {
		if uid != "" {
			m.byPod[uid] = c
		}
	}
}

// inherit keeps what has left for a while.
func (m *Map) inherit(old *Map, now time.Time, keep time.Duration) {
	carry := func(dst, src map[string]*Container) {
		for k, c := range src {
			if _, here := dst[k]; here {
				continue
			}
			if c.leftAt.IsZero() {
				left := *c
				left.leftAt = now
				c = &left
			}
			if now.Sub(c.leftAt) < keep {
				dst[k] = c
			}
		}
	}
	carry(m.byID, old.byID)
	carry(m.byPod, old.byPod)
}

// pods fetches the list from the kubelet.
func (m *Mapper) pods(ctx context.Context) ([]pod, error) {
	client, err := m.http()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(m.cfg.Kubelet, "/")+"/pods", nil)
	if err != nil {
		return nil, err
	}
	if err := m.authorize(req); err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := statusError(res.StatusCode); err != nil {
		return nil, err
	}
	body := &io.LimitedReader{R: res.Body, N: m.cfg.MaxBytes + 1}
	pods, err := decodePods(body)
	if body.N <= 0 {
		return nil, fmt.Errorf("kubelet's list of pods exceeds %d bytes: raise the limit", m.cfg.MaxBytes)
	}
	return pods, err
}

func statusError(code int) error {
	switch code {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		return errors.New("kubelet answered 401: the token is missing or not accepted; check the token file")
	case http.StatusForbidden:
		return errors.New("kubelet answered 403: the service account needs get on nodes/proxy (or nodes/pods)")
	}
	return fmt.Errorf("kubelet answered %d %s", code, http.StatusText(code))
}

// authorize adds the token. A missing file is no error: the read-only port
// wants none.
func (m *Mapper) authorize(req *http.Request) error {
	if m.cfg.TokenFile == "" {
		return nil
	}
	b, err := os.ReadFile(m.cfg.TokenFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("token for the kubelet: %w", err)
	}
	if t := strings.TrimSpace(string(b)); t != "" && req.URL.Scheme == "https" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	return nil
}

// http makes the client at the first use, because it reads the CA file.
func (m *Mapper) http() (*http.Client, error) {
	if m.client != nil {
		return m.client, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if m.cfg.CAFile == "" {
		conf.InsecureSkipVerify = true // loopback only, see Validate
	} else {
		pem, err := os.ReadFile(m.cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA of the kubelet: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA of the kubelet: %s holds no certificate", m.cfg.CAFile)
		}
	}
	m.client = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: conf, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return m.client, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
