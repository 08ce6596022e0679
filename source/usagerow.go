package source

import (
	"regexp"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// pseudonym is what stands for a name in a report that conceals names: 32 hexadecimal digits, a zero GUID, or one of the
// placeholders that were seen.
var pseudonym = regexp.MustCompile(`(?i)^(?:[0-9a-f]{32}|\(unknown\)|00000000-0000-0000-0000-000000000000)$`)

// concealed reports whether the row does not name its user.
func concealed(row *parleyv1.CopilotUsageRow) bool {
	name := strings.TrimSpace(row.GetUserPrincipalName())
	return name == "" || isPseudonym(name) || isPseudonym(strings.TrimSpace(row.GetDisplayName()))
}

func isPseudonym(s string) bool {
	local, _, _ := strings.Cut(s, "@")
	return pseudonym.MatchString(s) || strings.HasPrefix(strings.ToUpper(s), "<PII:") || strings.Trim(local, "0-") == "" && len(local) >= 32
}
