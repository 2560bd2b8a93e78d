package grid

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wattle-project/wattle"
)

// Secret is a credential. It prints as "[secret]" wherever it is formatted or
// logged, so that a printed configuration leaks nothing.
type Secret string

// String hides the credential.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString hides the credential from %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText hides the credential from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// client makes the HTTP requests of one provider: paced by a token bucket,
// bounded in time and size, with every way to fail classed.
type client struct {
	name    string
	http    *http.Client
	maxBody int64
	timeout time.Duration
	pace    *bucket
	now     func() time.Time
	// secrets are cut out of explanations that a server echoes them in.
	secrets []Secret
	// skew is the server's clock minus ours in nanoseconds, from Date headers.
	skew atomic.Int64
}

// httpClient returns c, or a client of its own, that refuses to follow a
// redirect to another host: custom credential headers would travel with it.
func httpClient(c *http.Client) *http.Client {
	if c == nil {
		c = &http.Client{}
	}
	out := *c
	out.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > 3 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
			return errors.New("refused a redirect to another host; set the url to the final address")
		}
		return nil
	}
	return &out
}

// get fetches address and returns its body, at most maxBody bytes. header is
// added to the request. The error is a *Failure.
func (c *client) get(ctx context.Context, zone wattle.ZoneID, address string, header http.Header) ([]byte, error) {
	if err := c.pace.wait(ctx, c.now()); err != nil {
		return nil, c.fail(zone, TimedOut, fmt.Errorf("waiting for the rate limit: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, c.fail(zone, Malformed, errors.New("the configured url cannot be parsed"))
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", "wattle (+https://github.com/wattle-project/wattle)")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportFailure(zone, err)
	}
	defer resp.Body.Close()
	c.noteClock(resp.Header)
	return c.read(zone, resp)
}

func (c *client) read(zone wattle.ZoneID, resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxBody+1))
	if outcome, bad := statusOutcome(resp.StatusCode); bad {
		return body, &Failure{c.name, zone, outcome, resp.StatusCode, retryAfter(resp.Header, c.now()), c.message(body)}
	}
	if err != nil {
		return nil, c.transportFailure(zone, err)
	}
	if int64(len(body)) > c.maxBody {
		return nil, c.fail(zone, TooLarge, fmt.Errorf("answer is over %d bytes; raise max_body if that is right", c.maxBody))
	}
	return body, nil
}

// getJSON fetches address and decodes it into v.
func (c *client) getJSON(ctx context.Context, zone wattle.ZoneID, address string, header http.Header, v any) error {
	body, err := c.get(ctx, zone, address, header)
	if err != nil {
		return err
	}
	return c.decode(zone, body, v)
}

func (c *client) decode(zone wattle.ZoneID, body []byte, v any) error {
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '<' {
		return c.fail(zone, Malformed, errors.New("answer is HTML or XML, not JSON: a proxy, a login page or a wrong url"))
	}
	if err := json.Unmarshal(body, v); err != nil {
		return c.fail(zone, Malformed, fmt.Errorf("decoding %d bytes of JSON: %w", len(body), err))
	}
	return nil
}

func (c *client) fail(zone wattle.ZoneID, o Outcome, err error) *Failure {
	return &Failure{Provider: c.name, Zone: zone, Outcome: o, Err: err}
}

// transportFailure drops the *url.Error around err: it prints the whole URL,
// and some services take their key in the query.
func (c *client) transportFailure(zone wattle.ZoneID, err error) *Failure {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return c.fail(zone, TimedOut, fmt.Errorf("no complete answer within %s", c.timeout))
	}
	return c.fail(zone, Unreachable, err)
}

func statusOutcome(status int) (Outcome, bool) {
	switch {
	case status == http.StatusOK:
		return OK, false
	case status == http.StatusUnauthorized:
		return Unauthorized, true
	case status == http.StatusForbidden:
		return Forbidden, true
	case status == http.StatusNotFound:
		return NotFound, true
	case status == http.StatusTooManyRequests:
		return Throttled, true
	case status >= 500:
		return ServerFault, true
	}
	return OddStatus, true
}

// maxRetryAfter bounds what a server can ask for, so that one bad header does
// not silence a provider for good.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header in both forms of RFC 9110 §10.2.3.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	// The date is on the server's clock: measure against its own Date header.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

func (c *client) noteClock(h http.Header) {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		c.skew.Store(int64(date.Sub(c.now())))
	}
}

// clockSkew is the server's clock minus ours as of the last answer, to about a second.
func (c *client) clockSkew() time.Duration { return time.Duration(c.skew.Load()) }

// message extracts a short printable explanation from an error body.
func (c *client) message(body []byte) error {
	var v struct {
		Message string          `json:"message"`
		Title   string          `json:"title"`
		Error   json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &v) != nil {
		return nil
	}
	text := strings.TrimSpace(v.Message + " " + v.Title + " " + string(v.Error))
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	if text == "" {
		return nil
	}
	for _, secret := range c.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, string(secret), secret.String())
		}
	}
	if r := []rune(text); len(r) > 160 {
		text = string(r[:160]) + "…"
	}
	return errors.New(text)
}
