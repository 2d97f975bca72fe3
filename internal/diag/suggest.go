package diag

import "strings"

// Suggest returns the candidate that the name was most likely meant to be, or
// "" where none is near: within a third of the name's length in edits, or one
// edit that leaves something of it, case aside.
func Suggest(name string, candidates []string) string {
	best, bestDist := "", max(len(name)/3, 1)+1
	lower := strings.ToLower(name)
	for _, c := range candidates {
		if len(name) == 1 && len(c) == 1 {
			continue // nothing of the one in the other
		}
		d := distance(lower, strings.ToLower(c), bestDist)
		if d < bestDist || (d == bestDist && best == "" && strings.HasPrefix(strings.ToLower(c), lower)) {
			best, bestDist = c, d
		}
	}
	return best
}

// DidYouMean returns `did you mean "x"?`, or "" where nothing is near.
func DidYouMean(name string, candidates []string) string {
	if s := Suggest(name, candidates); s != "" {
		return `did you mean "` + s + `"?`
	}
	return ""
}

// distance is the Damerau-Levenshtein distance (adjacent transpositions count
// one), cut off above limit.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > limit || len(y)-len(x) > limit {
		return limit + 1
	}
	prev2, prev, cur := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(y)]
}
