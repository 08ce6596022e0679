package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// Dialects are what SQL speaks; markdown is the tables of the documentation.
func Dialects() []string { return []string{"duckdb", "spark", "bigquery", "snowflake", "markdown"} }

// types are the names of the types of columns, in the order of Type.
func types(dialect string) []string {
	switch dialect {
	case "spark":
		return []string{"STRING", "INT", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "DATE", "STRING", "ARRAY<STRING>"}
	case "bigquery":
		return []string{"STRING", "INT64", "INT64", "FLOAT64", "BOOL", "TIMESTAMP", "DATE", "STRING", "ARRAY<STRING>"}
	case "snowflake":
		return []string{"VARCHAR", "NUMBER(10,0)", "NUMBER(19,0)", "DOUBLE", "BOOLEAN", "TIMESTAMP_TZ(6)", "DATE", "VARCHAR", "ARRAY"}
	case "markdown":
		return []string{"string", "int32", "int64", "double", "bool", "timestamp", "date", "string, JSON", "list of strings"}
	default:
		return []string{"VARCHAR", "INTEGER", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMPTZ", "DATE", "VARCHAR", "VARCHAR[]"}
	}
}

// SQL returns statements that make the tables of some datasets of an export at a place, and views with the newest row of each key.
func SQL(dialect, out, format string, datasets []string) string {
	var text strings.Builder
	out = strings.TrimSuffix(out, "/")
	for _, table := range Tables() {
		if !slices.Contains(datasets, table.Name) {
			continue
		}
		if dialect == "markdown" {
			markdown(&text, table)
			continue
		}
		fmt.Fprintf(&text, "-- %s: %s\n", table.Name, table.About)
		create(&text, dialect, out, format, table)
		view(&text, dialect, table, table.Name+"_latest", withoutVersion(table.Key), "A row of each key: the newest one.")
		if table.Name == Events {
			view(&text, dialect, table, "events_once", []string{"uid"}, "An event once, whoever has it: the newest version.")
		}
	}
	return text.String()
}

func create(text *strings.Builder, dialect, out, format string, table Table) {
	files := fmt.Sprintf("%s/run_date=*/dataset=%s", out, table.Name)
	switch dialect {
	case "duckdb":
		read := "read_parquet"
		options := "hive_partitioning = false, union_by_name = true"
		if format == NDJSON {
			read, options = "read_json", "format = 'newline_delimited', columns = {"+structure(table)+"}"
		}
		fmt.Fprintf(text, "CREATE OR REPLACE VIEW %s AS\nSELECT %s FROM %s('%s/*.%s', %s);\n\n", table.Name, names(table), read, quoted(files), format, options)
	case "spark":
		fmt.Fprintf(text, "CREATE OR REPLACE TEMPORARY VIEW %s (%s)\nUSING %s\nOPTIONS (path '%s', recursiveFileLookup 'true');\n\n",
			table.Name, strings.ReplaceAll(columnList(dialect, table), " NOT NULL", ""), sparkFormat(format), quoted(files))
	case "bigquery":
		fmt.Fprintf(text, "CREATE TABLE IF NOT EXISTS %s (%s);\n\n-- Once a run, with its date:\nLOAD DATA INTO %s\nFROM FILES (format = '%s', uris = ['%s/*.%s']);\n\n",
			table.Name, columnList(dialect, table), table.Name, bigqueryFormat(format), quoted(strings.Replace(files, "*", "DATE", 1)), format)
	case "snowflake":
		fmt.Fprintf(text, "CREATE TABLE IF NOT EXISTS %s (%s);\n\n-- The stage @parley is at %s.\nCOPY INTO %s FROM @parley\nPATTERN = '.*/dataset=%s/.*[.]%s'\nFILE_FORMAT = (TYPE = %s)\nMATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;\n\n",
			table.Name, columnList(dialect, table), quoted(out), table.Name, table.Name, format, snowflakeFormat(format))
	}
}

// view writes a view with the newest row of each key.
func view(text *strings.Builder, dialect string, table Table, name string, key []string, about string) {
	temporary := ""
	if dialect == "spark" {
		temporary = "TEMPORARY "
	}
	var newest []string
	for _, column := range table.Newest {
		newest = append(newest, column+" DESC")
	}
	if !slices.Contains(table.Newest, "run") {
		newest = append(newest, "run DESC")
	}
	fmt.Fprintf(text, "-- %s\nCREATE OR REPLACE %sVIEW %s AS\nSELECT %s FROM (\n  SELECT %s, row_number() OVER (PARTITION BY %s ORDER BY %s) AS newest\n  FROM %s\n) AS numbered\nWHERE newest = 1;\n\n",
		about, temporary, name, names(table), names(table), strings.Join(key, ", "), strings.Join(newest, ", "), table.Name)
}

func names(table Table) string {
	all := make([]string, 0, len(table.Columns))
	for _, column := range table.Columns {
		all = append(all, column.Name)
	}
	return strings.Join(all, ", ")
}

func withoutVersion(key []string) []string {
	return slices.DeleteFunc(slices.Clone(key), func(column string) bool { return column == "version" })
}

func columnList(dialect string, table Table) string {
	var text strings.Builder
	for i, column := range table.Columns {
		null := ""
		if column.Required {
			null = " NOT NULL"
		}
		fmt.Fprintf(&text, "%s\n  %s %s%s", []string{"", ","}[min(i, 1)], column.Name, types(dialect)[column.Type], null)
	}
	return text.String() + "\n"
}

func structure(table Table) string {
	all := make([]string, 0, len(table.Columns))
	for _, column := range table.Columns {
		all = append(all, fmt.Sprintf("%s: '%s'", column.Name, types("duckdb")[column.Type]))
	}
	return strings.Join(all, ", ")
}

func markdown(text *strings.Builder, table Table) {
	fmt.Fprintf(text, "### %s\n\n%s Key: `%s`.\n\n| column | id | type | meaning |\n|---|---|---|---|\n", table.Name, table.About, strings.Join(table.Key, "`, `"))
	for _, column := range table.Columns {
		required := ", may be null"
		if column.Required {
			required = ""
		}
		fmt.Fprintf(text, "| `%s` | %d | %s%s | %s |\n", column.Name, column.ID, types("markdown")[column.Type], required, column.About)
	}
	text.WriteByte('\n')
}

func sparkFormat(format string) string {
	if format == NDJSON {
		return "json"
	}
	return format
}

func bigqueryFormat(format string) string {
	if format == NDJSON {
		return "NEWLINE_DELIMITED_JSON"
	}
	return "PARQUET"
}

func snowflakeFormat(format string) string {
	if format == NDJSON {
		return "JSON"
	}
	return "PARQUET"
}

func quoted(text string) string { return strings.ReplaceAll(text, "'", "''") }
