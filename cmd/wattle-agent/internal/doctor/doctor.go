// Package doctor says in plain words what an agent can and cannot do on a
// machine, and what would mend it.
package doctor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/cgroup"
)

// Verdict says how a finding is meant.
type Verdict uint8

// Verdicts.
const (
	Good    Verdict = iota // works
	Absent                 // is not here, and need not be
	Trouble                // is here and does not work, or is missed
)

// String returns the mark in front of a finding.
func (v Verdict) String() string { return [...]string{"ok  ", "--  ", "!!  "}[min(v, Trouble)] }

// Finding is one line of a diagnosis.
type Finding struct {
	Verdict Verdict
	What    string
	// Mend says what to do; empty where nothing has to be done.
	Mend string
}

// Section is a heading with its findings.
type Section struct {
	Title    string
	Findings []Finding
}

// Print writes sections as text and returns the number of troubles.
func Print(w io.Writer, sections []Section) (troubles int, err error) {
	for i, s := range sections {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, s.Title)
		for _, f := range s.Findings {
			if f.Verdict == Trouble {
				troubles++
			}
			fmt.Fprintf(w, "  %s%s\n", f.Verdict, line(f.What))
			if f.Mend != "" {
				fmt.Fprintf(w, "      to mend: %s\n", line(f.Mend))
			}
		}
	}
	_, err = fmt.Fprintf(w, "\n%d to mend\n", troubles)
	return troubles, err
}

// line is the first line of a text, for errors of several causes.
func line(s string) string {
	first, _, more := strings.Cut(strings.TrimSpace(s), "\n")
	if more {
		return first + " (and more)"
	}
	return first
}

// capDACReadSearch is the number of CAP_DAC_READ_SEARCH (capabilities(7)).
const capDACReadSearch = 2

// Privileges tells by proc/self/status what this process may read: registers of
// RAPL are readable by root alone since Linux 5.10, against side channels
// (CVE-2020-8694).
func Privileges(proc string) Section {
	s := Section{Title: "Permissions"}
	uid, caps, err := status(filepath.Join(proc, "self/status"))
	switch {
	case err != nil:
		s.Findings = append(s.Findings, Finding{Absent, "cannot tell what this process may do: " + err.Error(), ""})
	case caps&(1<<capDACReadSearch) != 0 && uid != 0:
		s.Findings = append(s.Findings, Finding{Good, fmt.Sprintf("user %d with CAP_DAC_READ_SEARCH: may read every file and write none of others, all that is needed", uid), ""})
	case caps&(1<<capDACReadSearch) != 0:
		s.Findings = append(s.Findings, Finding{Good, "root: may read registers; CAP_DAC_READ_SEARCH for an ordinary user would be enough", ""})
	default:
		s.Findings = append(s.Findings, Finding{
			Trouble, fmt.Sprintf("user %d without CAP_DAC_READ_SEARCH: the kernel lets only root read energy registers", uid),
			"run it as a systemd service with AmbientCapabilities=CAP_DAC_READ_SEARCH, in Kubernetes with that capability and user 0, or: setcap cap_dac_read_search+ep wattle-agent",
		})
	}
	return s
}

// status reads the effective user and capabilities of a process.
func status(path string) (uid int, caps uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	found := 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) >= 3 && words[0] == "Uid:":
			uid, err = strconv.Atoi(words[2])
		case len(words) == 2 && words[0] == "CapEff:":
			caps, err = strconv.ParseUint(words[1], 16, 64)
		default:
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		found++
	}
	if found != 2 {
		return 0, 0, fmt.Errorf("%s: no Uid or CapEff", path)
	}
	return uid, caps, lines.Err()
}

// Meters explains every meter, and every zone that is not counted.
func Meters(probes, skipped []telemetry.Probe) Section {
	s := Section{Title: "Meters"}
	measured, modelled := false, false
	for _, p := range append(probes[:len(probes):len(probes)], skipped...) {
		f := Finding{Verdict: Absent, What: p.Name + ": " + p.Reason, Mend: p.Mend}
		if p.Used {
			f.Verdict = Good
			measured = measured || p.Name != "model" && !strings.HasPrefix(p.Name, "model/")
			modelled = modelled || p.Name == "model"
		} else if p.Mend != "" && strings.Contains(p.Name, "/") {
			f.Verdict = Trouble // a zone that is there and cannot be read
		}
		s.Findings = append(s.Findings, f)
	}
	switch {
	case measured:
	case modelled:
		s.Findings = append(s.Findings, Finding{
			Trouble, "nothing here measures power: figures come from a model of utilisation, good to about a factor of two, and say source=\"model\"",
			"in a virtual machine ask the provider for RAPL or a node meter; on metal see the lines above",
		})
	default:
		s.Findings = append(s.Findings, Finding{Trouble, "no meter at all", "enable at least the model"})
	}
	return s
}

// Duplicates explains the zones that show energy which another zone counts.
func Duplicates(zones []telemetry.ZoneStatus) Section {
	s := Section{Title: "Counted once"}
	for _, z := range zones {
		if z.Zone.Overlap && z.Err == nil {
			s.Findings = append(s.Findings, Finding{Absent, fmt.Sprintf("%s/%s is exported as a zone and left out of sums: %s", z.Meter, z.Zone.Key, z.Reason), ""})
		}
	}
	if len(s.Findings) == 0 {
		s.Findings = []Finding{{Good, "no zone shows energy of another", ""}}
	}
	return s
}

// Cgroups explains what is charged.
func Cgroups(stats cgroup.Stats, usage []cgroup.Usage, err error) Section {
	s := Section{Title: "Containers and functions"}
	switch {
	case errors.Is(err, cgroup.ErrNone):
		s.Findings = append(s.Findings, Finding{Trouble, "no cgroup hierarchy: energy is metered and not divided: " + err.Error(), "mount the host's /sys/fs/cgroup read-only and name it by --cgroup-root"})
		return s
	case err != nil:
		s.Findings = append(s.Findings, Finding{Trouble, "cgroups cannot be read: " + err.Error(), ""})
		return s
	}
	f := Finding{Good, fmt.Sprintf("cgroup %s: %d containers or matched cgroups in %d slices", stats.Mode, stats.Cgroups, stats.Slices), ""}
	if stats.Cgroups == 0 {
		f.Verdict, f.Mend = Absent, "where functions run outside containers, name their cgroups by --cgroup-pattern"
	}
	s.Findings = append(s.Findings, f)
	if stats.Mode == cgroup.Legacy {
		s.Findings = append(s.Findings, Finding{Absent, "cgroup v1: a cgroup that is removed between two rounds leaves its last work to its parent", "boot with systemd.unified_cgroup_hierarchy=1"})
	}
	for _, u := range usage {
		if u.Err != nil {
			s.Findings = append(s.Findings, Finding{Trouble, u.Err.Error(), ""})
		}
	}
	return s
}
