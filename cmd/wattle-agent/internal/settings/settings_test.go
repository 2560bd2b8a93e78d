package settings_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
)

// TestDocumentedFile: the file that docs/agent.md shows is read as it stands.
func TestDocumentedFile(t *testing.T) {
	b, err := os.ReadFile("../../../../docs/agent.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "```yaml\n")
	text, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("docs/agent.md shows no YAML")
	}
	s, err := settings.Parse("agent.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if s.Embodied.DRAM != 600_000 || s.Attribution.Idle["dram"] != 5 || s.Grid.PUE != 1.1 || s.Meters.Redfish.Interval != 15*time.Second {
		t.Errorf("values are not those of the file: %+v", s)
	}
}

func TestPushIsOpenOnLoopbackOnly(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, ":1": false, "0.0.0.0:1": false, "10.0.0.1:1": false} {
		s := settings.Default()
		s.Listen = listen
		if got := s.PushOpen(); got != want {
			t.Errorf("%s: open %v, want %v", listen, got, want)
		}
	}
}
