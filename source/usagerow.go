package source

import (
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
)

// userName is the resource name of the user of a report, by the only name that a report has; empty for a text that no request takes.
func userName(principal string) string {
	if resource.ValidateUser(principal) != nil || !strings.Contains(principal, "@") {
		return ""
	}
	return resource.User(principal)
}

// concealed reports whether the row does not name its user.
func concealed(row *parleyv1.CopilotUsageRow) bool {
	return concealedNames(row.GetUserPrincipalName(), row.GetDisplayName())
}

func concealedNames(user, display string) bool {
	name := strings.TrimSpace(user)
	return name == "" || isPseudonym(name) || isPseudonym(strings.TrimSpace(display))
}

// isPseudonym tells what stands for a name in a report that conceals names: 32 hexadecimal digits, a zero GUID, or one of
// the placeholders that were seen.
func isPseudonym(s string) bool {
	const personal, digest = "<PII:", 32
	local, _, _ := strings.Cut(s, "@")
	return len(s) == digest && strings.Trim(s, "0123456789abcdefABCDEF") == "" ||
		strings.EqualFold(s, "(unknown)") ||
		len(s) >= len(personal) && strings.EqualFold(s[:len(personal)], personal) ||
		len(local) >= digest && strings.Trim(local, "0-") == ""
}
