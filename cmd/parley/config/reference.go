package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference renders all settings as the Markdown page docs/configuration.md.
func Reference() string {
	var page strings.Builder
	page.WriteString(`# Configuration

Every setting of ` + "`parley serve`" + ` is a flag, an environment variable and a key of the YAML file given with ` + "`--config`" + `.
The flag wins over the environment, the environment over the file, the file over the default. Unknown flags and keys,
missing and contradictory settings end the program with exit code 2 and one message that names the setting and the fix.
Secrets are files, never values; they are read again when they change.

This page is made from the program's own settings; a test keeps it so (` + "`go test ./cmd/parley/config -update`" + ` writes it anew).
`)
	group := ""
	fields := reflect.TypeFor[Settings]()
	for field := range fields.Fields() {
		tag := field.Tag
		if tag.Get("group") != group {
			group = tag.Get("group")
			fmt.Fprintf(&page, "\n## %s\n\n| environment | flag | YAML key | default | meaning |\n|---|---|---|---|---|\n", group)
		}
		value := tag.Get("default")
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(&page, "| `%s` | `--%s` | `%s` | %s | %s |\n", tag.Get("env"), tag.Get("name"), keyOf(tag.Get("name")), value, tag.Get("help"))
	}
	page.WriteString("\n`parley demo` and `parley sim` take the listener and log settings and the simulator's own: see `parley demo --help`.\n")
	return page.String()
}
