package invocations

import (
	"testing"
	"time"
)

// TestSilence plays seconds of failed sources, and says which are partial. A bar
// marks the second before it as one that tells what was counted before.
func TestSilence(t *testing.T) {
	minute := "111111111111111111111111111111111111111111111111111111111111"
	partly := "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
	for name, c := range map[string]struct{ failed, want string }{
		"one for a second":                 {"001000", "..pp.."},
		"with the counts late":             {"0010|00", "..pp.."},
		"late alone":                       {"00|000", ".p..."},
		"one for long":                     {"0" + minute + "1110|00", "." + partly + "...p.."},
		"another while one is gone":        {minute + "112|111", partly + "..pp.."},
		"without a word on its late tale":  {minute + "11211", partly + "..pp."},
		"another as one comes back":        {minute + "11|111|0", partly + ".ppppp"},
		"both at once":                     {"0220|0", ".ppp."},
		"all in turn, the second for good": {"0121" + minute[:58] + "11", ".ppp" + partly[:57] + "..."},
	} {
		var s Silence
		got := ""
		at := time.Unix(1000, 0)
		for i := 0; i < len(c.failed); i++ {
			failed := int(c.failed[i] - '0')
			late := i+1 < len(c.failed) && c.failed[i+1] == '|'
			if late {
				i++
			}
			mark := "."
			if s.Partial(at, at.Add(time.Second), failed, late) {
				mark = "p"
			}
			got += mark
			at = at.Add(time.Second)
		}
		if got != c.want {
			t.Errorf("%s: %s is\n%s, want\n%s", name, c.failed, got, c.want)
		}
	}
}
