package resource

import "github.com/google/uuid"

// IsObjectID reports whether a text has the form of an Entra object id: a UUID of 36 characters, in letters of either case.
func IsObjectID(text string) bool {
	const length = 36 // the other forms of a UUID have other lengths
	return len(text) == length && uuid.Validate(text) == nil
}
