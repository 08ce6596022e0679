package dataset_test

import (
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/parley-gateway/parley/export/internal/dataset"
)

// TestParquetSchema holds the columns that Tables describes against those that files have.
func TestParquetSchema(t *testing.T) {
	t.Parallel()
	schemas := map[string]*parquet.Schema{
		dataset.Events: parquet.SchemaOf(dataset.Event{}), dataset.Copies: parquet.SchemaOf(dataset.Copy{}), dataset.Turns: parquet.SchemaOf(dataset.Turn{}),
		dataset.Calls: parquet.SchemaOf(dataset.Call{}), dataset.Users: parquet.SchemaOf(dataset.User{}),
		dataset.Conversations: parquet.SchemaOf(dataset.Conversation{}), dataset.Usage: parquet.SchemaOf(dataset.UserUsage{}),
	}
	for _, table := range dataset.Tables() {
		fields := schemas[table.Name].Fields()
		if len(fields) != len(table.Columns) {
			t.Errorf("%s has %d columns, and %d are described", table.Name, len(fields), len(table.Columns))
		}
		described := map[string]dataset.Column{}
		ids := map[int]bool{}
		for _, column := range table.Columns {
			described[column.Name] = column
			if ids[column.ID] || column.ID == 0 || column.About == "" {
				t.Errorf("%s.%s: id %d, %q", table.Name, column.Name, column.ID, column.About)
			}
			ids[column.ID] = true
		}
		for _, field := range fields {
			column := described[field.Name()]
			if field.ID() != column.ID || field.Required() != column.Required {
				t.Errorf("%s.%s: id %d, required %t; described as %+v", table.Name, field.Name(), field.ID(), field.Required(), column)
			}
			if column.Type == dataset.Timestamp && field.Type().String() != "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)" {
				t.Errorf("%s.%s: %s", table.Name, field.Name(), field.Type())
			}
			if column.Type == dataset.StringList && (len(field.Fields()) != 1 || field.Fields()[0].Name() != "list" || field.Fields()[0].Fields()[0].Name() != "element") {
				t.Errorf("%s.%s is no list of three levels", table.Name, field.Name())
			}
		}
	}
}
