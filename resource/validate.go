package resource

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxUserID = 256  // characters of a user id
	maxID     = 1024 // bytes of any other id
)

// ValidateUser refuses a text that cannot be a user id: empty, longer than 256 characters, with a slash, backslash or control
// character, a dot segment, or broken UTF-8. Whether the user exists is Graph's to say. The error is an *Error without
// a Field.
func ValidateUser(id string) error {
	if problem := userProblem(id); problem != "" {
		return &Error{Problem: "the user id " + problem, Fix: "give an Entra object id, a user principal name, or me"}
	}
	return nil
}

func userProblem(id string) string {
	switch {
	case id == "":
		return "is empty"
	case !utf8.ValidString(id):
		return "is not UTF-8"
	case utf8.RuneCountInString(id) > maxUserID:
		return "is longer than 256 characters"
	case strings.ContainsAny(id, `/\`):
		return "holds a slash or backslash"
	case strings.ContainsFunc(id, unicode.IsControl):
		return "holds a control character"
	case id == ".", id == "..":
		return "is a dot segment"
	default:
		return ""
	}
}

// validateID refuses ids that no Graph record has.
func validateID(what, id string) error {
	var problem string
	switch {
	case id == "":
		problem = "is empty"
	case len(id) > maxID:
		problem = "is longer than 1024 bytes"
	case !utf8.ValidString(id):
		problem = "is not UTF-8"
	case strings.ContainsFunc(id, unicode.IsControl):
		problem = "holds a control character"
	default:
		return nil
	}
	return &Error{Problem: "the " + what + " id " + problem, Fix: "copy the name as it was listed"}
}
