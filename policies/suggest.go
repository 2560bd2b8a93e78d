package policies

import (
	"fmt"
	"strings"
)

// suggest returns "; did you mean …" for the nearest of names, or the list of
// them where none is near.
func suggest(got string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	best, least := "", 1+max(2, len(got)/3)
	for _, n := range names {
		d := distance(got, n)
		if len(got) > 1 && strings.HasPrefix(n, got) { // "p95" is short for "p95_us"
			d = min(d, 2)
		}
		if d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return fmt.Sprintf("; want one of %s", strings.Join(names, ", "))
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
