package source

import (
	"strings"
	"time"
)

// slack is how much wider than the asked interval Graph is asked, on both sides: its bounds are exclusive, and its
// clocks and roundings differ. The timeline trims.
const slack = time.Second

// Asked is what Graph is told of an interval: whole seconds, because a Graph that rounds its bounds would leave rows out or send
// others, and a second wider on both sides.
func Asked(start, end time.Time) (from, to time.Time) {
	from, to = start.Truncate(time.Second), end.Truncate(time.Second)
	if to.Before(end) {
		to = to.Add(time.Second)
	}
	return from.Add(-slack), to.Add(slack)
}

// odataTick is the resolution of Edm.DateTimeOffset, a seventh fraction digit.
const odataTick = 100 * time.Nanosecond

// literal writes an Edm.String.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// instant writes an Edm.DateTimeOffset in UTC with as many fraction digits as it needs, at most 7.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z") }

// between is the exclusive pair of bounds around [start, end).
func between(property string, start, end time.Time) string {
	from, to := Asked(start, end)
	return property + " gt " + instant(from) + " and " + property + " lt " + instant(to)
}

// anyEqual joins `property eq 'value'` for each value by or, in parentheses when there are several; empty for none.
func anyEqual(property string, values []string) string {
	terms := make([]string, 0, len(values))
	for _, value := range values {
		terms = append(terms, property+" eq "+literal(value))
	}
	return anyOf(terms...)
}

// anyOf joins terms by or, in parentheses when there are several.
func anyOf(terms ...string) string {
	terms = present(terms)
	if len(terms) > 1 {
		return "(" + strings.Join(terms, " or ") + ")"
	}
	return strings.Join(terms, "")
}

// allOf joins terms by and; empty terms are left out.
func allOf(terms ...string) string { return strings.Join(present(terms), " and ") }

func present(terms []string) []string {
	kept := make([]string, 0, len(terms))
	for _, term := range terms {
		if term != "" {
			kept = append(kept, term)
		}
	}
	return kept
}
