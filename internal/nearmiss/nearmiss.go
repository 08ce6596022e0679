// Package nearmiss finds the name that a mistyped one most probably means.
package nearmiss

import "strings"

// Nearest returns the known name that a mistyped one most probably means; empty where none is near. Names that differ in case,
// underscores, hyphens or dots alone are nearest (`eventTime` for `event_time`); then a name that ends with the mistyped one
// (`CHAT` for `SOURCE_CHAT`); then the one with the fewest differing letters, at most a third of them.
func Nearest(name string, known []string) string {
	plain := fold(name)
	if plain == "" {
		return ""
	}
	for _, candidate := range known {
		if fold(candidate) == plain {
			return candidate
		}
	}
	const shortest = 3 // letters of an ending that say enough
	for _, candidate := range known {
		if len(plain) >= shortest && strings.HasSuffix(fold(candidate), plain) {
			return candidate
		}
	}
	best, least := "", len(plain)/3+1
	for _, candidate := range known {
		if d := distance(plain, fold(candidate), least); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// Hint returns "did you mean NAME?" for the nearest known name, behind a space; empty where none is near.
func Hint(name string, known []string) string {
	near := Nearest(name, known)
	if near == "" {
		return ""
	}
	return " did you mean " + near + "?"
}

// longest bounds the names that are compared letter by letter: a name from outside may be long.
const longest = 128

// fold leaves the letters and digits of a name, in lower case.
func fold(name string) string {
	if len(name) > longest {
		return ""
	}
	return strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name))
}

// distance counts the bytes to insert, delete or replace between two names; names whose lengths differ by most or more are that far
// apart.
func distance(a, b string, most int) int {
	if d := len(a) - len(b); d >= most || -d >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
