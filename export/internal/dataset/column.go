// Package dataset has the tables of an export: their columns, and how messages of the API become rows of Parquet or NDJSON files. Messages
// enter; finished files leave through a StoreFunc. Queries of users depend on names and types of columns: none is ever removed or changed.
package dataset

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SchemaVersion is in the footer of every Parquet file and in every manifest. It grows when columns are added; none is ever removed or
// changed.
const SchemaVersion = 1

// Names of the datasets.
const (
	Events        = "events"
	Copies        = "copies"
	Turns         = "turns"
	Calls         = "calls"
	Users         = "users"
	Conversations = "conversations"
	Usage         = "usage"
)

// Table describes a dataset.
type Table struct {
	Name string
	// About says in one sentence what a row is.
	About string
	// Key has the columns that tell rows of one run apart.
	Key []string
	// Newest has the columns whose greatest values are those of the newest row of a key, over all runs.
	Newest  []string
	Columns []Column
}

// Type is what a column holds.
type Type int

// Types of columns. JSON is text that holds a JSON value.
const (
	String Type = iota
	Int32
	Int64
	Double
	Bool
	Timestamp
	DateType
	JSON
	StringList
)

// Column is one column of a table.
type Column struct {
	Name     string
	ID       int
	Type     Type
	Required bool
	About    string
}

// Tables are all datasets, in the order of the documentation.
func Tables() []Table {
	return []Table{
		{Events, "What happened: a message, a note of Teams, a prompt, an answer, a call.", []string{"uid", "user_id", "version"}, []string{"version"}, columns[Event]()},
		{Copies, "Another user's copy of an event that `events` has once (`--dedupe` alone).", []string{"uid", "user_id"}, []string{"run"}, columns[Copy]()},
		{Turns, "A prompt to Copilot and its first answer, without text.", []string{"uid", "user_id"}, []string{"version", "answers"}, columns[Turn]()},
		{Calls, "A participant of a call that was read whole (`--view full`).", []string{"uid", "user_id", "participant_id", "version"}, []string{"version"}, columns[Call]()},
		{Users, "A user whom the run read, or should have read.", []string{"user_id"}, []string{"run"}, columns[User]()},
		{Conversations, "A chat of a user.", []string{"uid", "user_id"}, []string{"run"}, columns[Conversation]()},
		{Usage, "What a user did with Copilot in a period, by Graph's report.", []string{"user_principal_name", "report_period", "report_refresh_date"}, []string{"run"}, columns[UserUsage]()},
	}
}

// Names are the names of all datasets, in the order of Tables.
func Names() []string {
	tables := Tables()
	names := make([]string, 0, len(tables))
	for _, table := range tables {
		names = append(names, table.Name)
	}
	return names
}

// Known reports whether there is a dataset of the name.
func Known(name string) bool { return slices.Contains(Names(), name) }

// Date is a day, as days since 1970-01-01; 0 = absent.
type Date int32

// DateOf is the day of a time in UTC.
func DateOf(at *time.Time) Date {
	if at == nil {
		return 0
	}
	days := at.Unix() / 86400
	if at.Unix()%86400 < 0 {
		days--
	}
	return Date(days)
}

// MarshalText writes the day as 2006-01-02.
func (d Date) MarshalText() ([]byte, error) {
	return time.Unix(int64(d)*86400, 0).UTC().AppendFormat(nil, time.DateOnly), nil
}

// columns reads the columns of a row type off its tags.
func columns[T any]() []Column {
	var out []Column
	for field := range reflect.TypeFor[T]().Fields() {
		parts := strings.Split(field.Tag.Get("parquet"), ",")
		column := Column{Name: parts[0], Type: typeOf(field), Required: !slices.Contains(parts, "optional") && field.Type.Kind() != reflect.Pointer, About: field.Tag.Get("doc")}
		for _, part := range parts {
			if id, ok := strings.CutPrefix(part, "id("); ok {
				column.ID, _ = strconv.Atoi(strings.TrimSuffix(id, ")"))
			}
		}
		out = append(out, column)
	}
	return out
}

func typeOf(field reflect.StructField) Type {
	t := field.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case field.Tag.Get("holds") == "json":
		return JSON
	case t == reflect.TypeFor[Date]():
		return DateType
	case t == reflect.TypeFor[time.Time]():
		return Timestamp
	}
	switch t.Kind() {
	case reflect.Bool:
		return Bool
	case reflect.Int32:
		return Int32
	case reflect.Int64:
		return Int64
	case reflect.Float64:
		return Double
	case reflect.Slice:
		return StringList
	default:
		return String
	}
}
