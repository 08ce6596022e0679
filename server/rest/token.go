package rest

import "strings"

// finalMark ends the resume token of a summary. Sealed tokens hold no dot, so the mark tells a reconnect after the end from
// one in between without opening the token; it grants nothing.
const finalMark = "."

// MarkFinal marks the token of a summary.
func MarkFinal(token string) string {
	if token == "" {
		return ""
	}
	return token + finalMark
}

// IsFinal says whether a token is that of a summary.
func IsFinal(token string) bool {
	return len(token) > len(finalMark) && strings.HasSuffix(token, finalMark)
}

// Unmark returns the token that was sealed.
func Unmark(token string) string { return strings.TrimSuffix(token, finalMark) }
