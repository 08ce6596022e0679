package config_test

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/parley-gateway/parley/internal/config"
)

// reference renders all settings as the Markdown page docs/configuration.md.
func reference() string {
	var page strings.Builder
	page.WriteString(`# Configuration

Every setting of ` + "`parley serve`" + ` is a flag, an environment variable and a key of the YAML file given with ` + "`--config`" + ` or
` + "`PARLEY_CONFIG_FILE`" + `. The flag wins over the environment, the environment over the file, the file over the default.
Secrets are files, never values; they are read again when they change.

## Mistakes

A configuration with mistakes ends the program with exit code 2 and all of them at once. Each line begins with the place that the value came
from, then names the setting, what is wrong, and the fix:

` + "```" + `
parley: --settle-call: PARLEY_SETTLE_CALL: is not a duration; write one such as 90s, 15m or 36h
parley: PARLEY_HTTP_ADR: is no setting; did you mean PARLEY_HTTP_ADDR?
parley: parley.yaml:3:1: unknown key "log_levl"; did you mean log_level?
parley: parley.yaml:7:14: caller_rate: is not a whole number, such as 50
` + "```" + `

Unknown flags, keys and ` + "`PARLEY_…`" + ` variables are mistakes, and so are a key that stands twice, settings that contradict each other, and
files that are named and cannot be read. Variables that Kubernetes and Docker set for a service named ` + "`parley`" + ` are not
(` + "`PARLEY_SERVICE_HOST`, `PARLEY_PORT`, `PARLEY_PORT_9090_TCP`" + ` …), nor are ` + "`PARLEY_EXPORT_…`" + `. A message repeats neither a line of the file nor the value of a setting
that names a secret. YAML anchors and aliases are not read.

` + "`parley config check`" + ` takes what ` + "`serve`" + ` takes and tells the same mistakes without starting: it reads the files that the settings name
(policy, keys, certificates, secrets), listens nowhere, calls nobody and writes nothing; exit code 0 or 2. ` + "`parley config show`" + ` prints the
settings that ` + "`serve`" + ` would have as a file that can be given to ` + "`--config`" + `, with where each value came from as a comment. It shows secrets
as paths only.

This page is made from the program's own settings; a test keeps it so (` + "`go test ./internal/config -update`" + ` writes it anew).
`)
	group := ""
	fields := reflect.TypeFor[config.Settings]()
	for field := range fields.Fields() {
		tag := field.Tag
		if tag.Get("name") == "" {
			continue
		}
		if tag.Get("group") != group {
			group = tag.Get("group")
			fmt.Fprintf(&page, "\n## %s\n\n| environment | flag | YAML key | default | meaning |\n|---|---|---|---|---|\n", group)
		}
		value := tag.Get("default")
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(&page, "| `%s` | `--%s` | `%s` | %s | %s |\n", tag.Get("env"), tag.Get("name"), strings.ReplaceAll(tag.Get("name"), "-", "_"), value, tag.Get("help"))
	}
	page.WriteString(`
## Several tenants

The YAML file may describe several tenants under ` + "`tenants`" + `. Each has an alias of lower-case letters, digits and dashes, its own
` + "`graph_tenant_id`" + `, and any other key of the group Microsoft Graph; those that it leaves out are as for the deployment.
There is no default tenant then: a caller reads the one that the policy allows, or names one in the ` + "`parley-tenant`" + ` header.

` + "```yaml" + `
graph_credential: client-certificate
graph_client_id: 3f2c1e0a-5d0b-4c5f-9a7e-2f6b8c1d4e90
graph_certificate_file: /etc/parley/graph.pem
tenants:
  contoso:
    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f
  fabrikam:
    graph_tenant_id: 1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9
    graph_cloud: us-l4
` + "```" + `
`)
	page.WriteString("\n`parley demo` and `parley sim` take the listener and log settings and the simulator's own: see `parley demo --help`.\n")
	return page.String()
}
