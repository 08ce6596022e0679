// Package odata writes the $filter expressions that Microsoft Graph is asked with: literals, bounds of an interval, and terms joined
// by and or or. Empty terms are left out.
package odata

import (
	"strings"
	"time"
)

// slack is how much wider than an interval Graph is asked, on both sides: its bounds are exclusive, and its clocks and
// roundings differ. The timeline trims.
const slack = time.Second

// Bounds returns the bounds that Graph is given for the interval [start, end): whole seconds, because a Graph that rounds its bounds
// would leave rows out or send others, and a second wider on both sides.
func Bounds(start, end time.Time) (from, to time.Time) {
	from, to = start.Truncate(time.Second), end.Truncate(time.Second)
	if to.Before(end) {
		to = to.Add(time.Second)
	}
	return from.Add(-slack), to.Add(slack)
}

// Tick is the resolution of an Edm.DateTimeOffset, a seventh fraction digit.
const Tick = 100 * time.Nanosecond

// Literal returns s as an Edm.String.
func Literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Instant returns t as an Edm.DateTimeOffset in UTC with as many fraction digits as it needs, at most 7.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z") }

// Between returns the condition that a property lies within the Bounds of [start, end), exclusively.
func Between(property string, start, end time.Time) string {
	from, to := Bounds(start, end)
	return property + " gt " + Instant(from) + " and " + property + " lt " + Instant(to)
}

// AnyEqual returns `property eq 'value'` for each value, joined by or, in parentheses when there are several; empty for none.
func AnyEqual(property string, values []string) string {
	terms := make([]string, 0, len(values))
	for _, value := range values {
		terms = append(terms, property+" eq "+Literal(value))
	}
	return AnyOf(terms...)
}

// In returns `property in ('value',…)`, or `property eq 'value'` for a single value; empty for none.
func In(property string, values []string) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return property + " eq " + Literal(values[0])
	}
	literals := make([]string, 0, len(values))
	for _, value := range values {
		literals = append(literals, Literal(value))
	}
	return property + " in (" + strings.Join(literals, ",") + ")"
}

// StartsWith returns the condition that a property begins with a text; empty for an empty text.
func StartsWith(property, text string) string {
	if text == "" {
		return ""
	}
	return "startswith(" + property + "," + Literal(text) + ")"
}

// AnyOf joins terms by or, in parentheses when there are several; empty terms are left out.
func AnyOf(terms ...string) string {
	terms = nonEmpty(terms)
	if len(terms) > 1 {
		return "(" + strings.Join(terms, " or ") + ")"
	}
	return strings.Join(terms, "")
}

// AllOf joins terms by and; empty terms are left out.
func AllOf(terms ...string) string { return strings.Join(nonEmpty(terms), " and ") }

// nonEmpty returns the terms that are not empty.
func nonEmpty(terms []string) []string {
	kept := make([]string, 0, len(terms))
	for _, term := range terms {
		if term != "" {
			kept = append(kept, term)
		}
	}
	return kept
}
