package profiles

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
)

// Bounds of an answer of an agent.
const (
	patience   = 30 * time.Second
	maxBody    = 64 << 20 // some 100,000 functions
	maxMessage = 300
)

// Read reads profiles from a file, or from an agent where name is a URL such as
// http://127.0.0.1:9188/v1/profiles.
func Read(ctx context.Context, name string) (*profile.Document, error) {
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		return fetch(ctx, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("profiles: %w", err)
	}
	defer f.Close()
	return profile.Read(f, name)
}

func fetch(ctx context.Context, url string) (*profile.Document, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("profiles: %w", err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("profiles: %w: does the agent listen there (--listen)?", err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(a.Body, maxMessage))
		return nil, fmt.Errorf("profiles: %s answers %s: %s", url, a.Status, strings.TrimSpace(string(text)))
	}
	if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return nil, fmt.Errorf("profiles: %s answers %q and not JSON: name /v1/profiles of an agent", url, kind)
	}
	return profile.Read(http.MaxBytesReader(nil, a.Body, maxBody), url)
}
