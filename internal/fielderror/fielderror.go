// Package fielderror has the error by which a library names the field of its own configuration that cannot be used. A library does not
// know under which name a deployment sets the field; package config translates the error.
package fielderror

import (
	"errors"
	"fmt"
)

// Error names one field of a configuration, what is wrong with it, and how to mend it.
type Error struct {
	// Field is the name of the Go field.
	Field string
	// Problem reads after the name of the field, and never quotes a secret.
	Problem string
	// Cause is the error behind the problem, if any; Problem has its text already.
	Cause error
}

var _ error = (*Error)(nil)

// New returns an error of a field. The cause is what the format wraps with %w.
func New(field, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Field: field, Problem: err.Error(), Cause: errors.Unwrap(err)}
}

// Error is the field and the problem.
func (e *Error) Error() string { return e.Field + ": " + e.Problem }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Flat returns the single errors of joined ones, however deep they are joined; none for nil.
func Flat(err error) []error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if err == nil {
			return nil
		}
		return []error{err}
	}
	var all []error
	for _, each := range several.Unwrap() {
		all = append(all, Flat(each)...)
	}
	return all
}
