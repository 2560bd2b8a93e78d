package kube

import (
	"fmt"
	"log/slog"
	"net/url"
	"time"
)

// Config of a Mapper.
type Config struct {
	// Kubelet is the URL of the kubelet, "https://127.0.0.1:10250" by default,
	// or the read-only port "http://127.0.0.1:10255" where it is open.
	Kubelet string
	// TokenFile holds the bearer token for the kubelet; it is read again for
	// every request, because tokens rotate. Empty sends none. The service
	// account needs "get" on nodes/proxy, or on nodes/pods with fine-grained
	// kubelet authorization. Default: the path of the service account's token.
	TokenFile string
	// CAFile verifies the kubelet's serving certificate. Empty means that the
	// certificate is not verified, which is refused for any address but the
	// loopback: kubelets sign their own by default.
	CAFile string
	// ResourcesSocket is the pod-resources socket. Empty looks for no devices.
	// Default /var/lib/kubelet/pod-resources/kubelet.sock.
	ResourcesSocket string
	// Rules name the function from labels; the first that matches wins.
	// Default DefaultRules().
	Rules []Rule
	// Every is the time between refreshes. Default 5 s.
	Every time.Duration
	// Timeout of one refresh. Default 3 s.
	Timeout time.Duration
	// Keep is how long a container stays known after it left. Default 10 min.
	Keep time.Duration
	// MaxBytes bounds the kubelet's answer. Default 32 MiB.
	MaxBytes int64
	// Log receives failed refreshes. Default: discard.
	Log *slog.Logger
}

// DefaultConfig returns the defaults named in Config.
func DefaultConfig() Config {
	return Config{
		Kubelet:         "https://127.0.0.1:10250",
		TokenFile:       "/var/run/secrets/kubernetes.io/serviceaccount/token",
		ResourcesSocket: "/var/lib/kubelet/pod-resources/kubelet.sock",
		Rules:           DefaultRules(),
		Every:           5 * time.Second, Timeout: 3 * time.Second, Keep: 10 * time.Minute,
		MaxBytes: 32 << 20, Log: slog.New(slog.DiscardHandler),
	}
}

// Validate says what cannot work.
func (c Config) Validate() error {
	u, err := url.Parse(c.Kubelet)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("kube: kubelet address %q: want for example https://127.0.0.1:10250", c.Kubelet)
	case u.Scheme == "https" && c.CAFile == "" && !loopback(u.Hostname()):
		return fmt.Errorf("kube: kubelet %s is not on this host and there is no CA file to verify it: set one, or use 127.0.0.1", c.Kubelet)
	case c.Every <= 0 || c.Timeout <= 0 || c.Keep < 0:
		return fmt.Errorf("kube: every %s and timeout %s must be positive and keep %s not negative", c.Every, c.Timeout, c.Keep)
	case c.MaxBytes <= 0:
		return fmt.Errorf("kube: limit of %d bytes must be positive", c.MaxBytes)
	case c.Log == nil:
		return fmt.Errorf("kube: no logger: start from DefaultConfig")
	}
	for _, r := range c.Rules {
		if err := r.validate(); err != nil {
			return err
		}
	}
	return nil
}
