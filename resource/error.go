package resource

// Error says that a resource name cannot be used. Its text never repeats the name: names hold user ids.
type Error struct {
	// Field is the request field that holds the name: "parent" or "name". Empty when a lone segment was read.
	Field string
	// Problem is what is wrong, Fix what to send instead; both are clauses for people.
	Problem, Fix string
}

var _ error = (*Error)(nil)

// Error names the field, the problem and the fix.
func (e *Error) Error() string {
	text := e.Problem + "; " + e.Fix
	if e.Field == "" {
		return text
	}
	return e.Field + ": " + text
}

// in returns the error with the field that holds the name.
func (e *Error) in(field string) *Error {
	return &Error{Field: field, Problem: e.Problem, Fix: e.Fix}
}
