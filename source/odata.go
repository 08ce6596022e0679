package source

import (
	"strings"
	"time"
)

// slack is how much wider than the asked interval Graph is asked, on both sides: its bounds are exclusive, and its
// clocks and roundings differ. The timeline trims.
const slack = time.Second

// odataTick is the resolution of Edm.DateTimeOffset, a seventh fraction digit.
const odataTick = 100 * time.Nanosecond

// literal writes an Edm.String.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// instant writes an Edm.DateTimeOffset in UTC with as many fraction digits as it needs, at most 7.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z") }

// between is the exclusive pair of bounds around [start, end), one second wider on both sides.
func between(property string, start, end time.Time) string {
	return property + " gt " + instant(start.Add(-slack)) + " and " + property + " lt " + instant(ceil(end.Add(slack)))
}

// ceil rounds up to what OData can write.
func ceil(t time.Time) time.Time {
	if floor := t.Truncate(odataTick); !floor.Equal(t) {
		return floor.Add(odataTick)
	}
	return t
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
