package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxBody bounds an answer of a controller.
const maxBody = 1 << 20

// StatusError is an answer other than 200.
type StatusError struct {
	Path string
	Code int
}

// Error names the path and the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("GET %s answered %d %s", e.Path, e.Code, http.StatusText(e.Code))
}

// client speaks to one Redfish service.
type client struct {
	base    *url.URL
	http    *http.Client
	cred    func(context.Context) (user, password string, err error)
	session bool
	limit   time.Duration // of one request
	token   string
	place   string // the session's own resource
}

// parseBase accepts https, and http only to the machine itself: a password
// must not cross a network in the clear.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("redfish: url %q: %w", text, err)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return nil, fmt.Errorf("redfish: url %q: want https://host", text)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// sameHost refuses a redirect that would carry the password elsewhere.
func sameHost(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme || len(via) > 3 {
		return fmt.Errorf("refusing the redirect to %s", req.URL.Redacted())
	}
	return nil
}

// get reads the resource at path into v. An expired session is renewed once.
func (c *client) get(ctx context.Context, path string, v any) error {
	err := c.try(ctx, path, v)
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusUnauthorized && c.session && c.token != "" {
		c.token = ""
		err = c.try(ctx, path, v)
	}
	return err
}

func (c *client) try(ctx context.Context, path string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := c.authorise(ctx, req); err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &StatusError{Path: path, Code: resp.StatusCode}
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(v); err != nil {
		return fmt.Errorf("GET %s: answer is no JSON of the expected shape: %w", path, err)
	}
	return nil
}

// request builds a request to a path of the service itself: a link to another
// host is refused.
func (c *client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	ref, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || ref.Host != "" {
		return nil, fmt.Errorf("%q is not a path of the service", path)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.ResolveReference(ref).String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("OData-Version", "4.0")
	return req, nil
}

func (c *client) authorise(ctx context.Context, req *http.Request) error {
	if c.cred == nil {
		return nil
	}
	if c.session {
		if c.token == "" {
			if err := c.login(ctx); err != nil {
				return err
			}
		}
		req.Header.Set("X-Auth-Token", c.token)
		return nil
	}
	user, password, err := c.cred(ctx)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	req.SetBasicAuth(user, password)
	return nil
}

// sessions is where a Redfish session is opened (DSP0266, "Session login").
const sessions = "/redfish/v1/SessionService/Sessions"

func (c *client) login(ctx context.Context) error {
	user, password, err := c.cred(ctx)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	body, err := json.Marshal(map[string]string{"UserName": user, "Password": password})
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	req, err := c.request(ctx, http.MethodPost, sessions, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("opening a session: %w", err)
	}
	defer resp.Body.Close()
	c.token = resp.Header.Get("X-Auth-Token")
	if resp.StatusCode/100 != 2 || c.token == "" {
		c.token = ""
		return fmt.Errorf("opening a session: %w", &StatusError{Path: sessions, Code: resp.StatusCode})
	}
	if at, err := resp.Location(); err == nil {
		c.place = at.Path
	}
	return nil
}

// logout gives the session back: controllers hold only a few.
func (c *client) logout(ctx context.Context) {
	if c.token == "" || c.place == "" {
		return
	}
	req, err := c.request(ctx, http.MethodDelete, c.place, nil)
	if err != nil {
		return
	}
	req.Header.Set("X-Auth-Token", c.token)
	if resp, err := c.http.Do(req); err == nil {
		resp.Body.Close()
	}
	c.token, c.place = "", ""
}
