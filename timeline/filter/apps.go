package filter

import (
	"maps"
	"slices"
	"strings"
)

// classPrefix begins the application class of each interaction.
const classPrefix = "IPM.SkypeTeams.Message.Copilot."

// classes are the applications whose class Microsoft shows, with the rest of the class behind the prefix. Other applications exist;
// their class ends with their name.
var classes = map[string]string{"CHAT": "BizChat", "EXCEL": "Excel", "LOOP": "Loop", "TEAMS": "Teams", "WORD": "Word"}

// appNames are the names of the applications whose class is known.
func appNames() []string { return slices.Sorted(maps.Keys(classes)) }

// classOf returns the application class of a name, without regard to its case. It reports false for a text that names no application.
func classOf(name string) (string, bool) {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_'
	}) {
		return "", false
	}
	if rest, ok := classes[strings.ToUpper(name)]; ok {
		return classPrefix + rest, true
	}
	return classPrefix + name, true
}

// isKnownClass reports whether the class has the spelling that Microsoft shows, so that Graph can be asked for it.
func isKnownClass(class string) bool {
	rest, ok := strings.CutPrefix(class, classPrefix)
	return ok && slices.Contains(slices.Collect(maps.Values(classes)), rest)
}
