package config

import (
	"fmt"
	"strings"
)

// prefix begins the name of each environment variable of the program.
const prefix = "PARLEY_"

// Origin is where the value of a setting came from. The zero value is the default.
type Origin struct {
	kind originKind
	// at is the place in the configuration file: of the value, or of the tenant that should have one.
	at position
	// env is the environment variable of a flag; empty where it has none.
	env string
	// tenant is the alias of the tenant that the setting belongs to; empty for the deployment's own.
	tenant string
}

type originKind int

const (
	fromDefault originKind = iota
	fromFile
	fromEnvironment
	fromFlag
)

// position is a place in the configuration file.
type position struct {
	path         string
	line, column int
}

// String is path:line:column.
func (p position) String() string { return fmt.Sprintf("%s:%d:%d", p.path, p.line, p.column) }

// describe names the origin of a setting in one or two words.
func (o Origin) describe(flag string) string {
	switch o.kind {
	case fromFile:
		return o.at.String()
	case fromEnvironment:
		return o.env
	case fromFlag:
		return "--" + flag
	default:
		return "default"
	}
}

// Origins are the origins of values by the names of their flags. A flag that is not there has its default.
type Origins map[string]Origin

// Errorf returns the error of a flag of a verb.
func (o Origins) Errorf(flag, format string, args ...any) *Error {
	return newError(flag, o[flag], fmt.Errorf(format, args...))
}

// Error says what is wrong with a setting and how to mend it. It begins with the place that the value came from.
type Error struct {
	// Setting is the name of the environment variable of the setting, or the path of its key where it has none.
	Setting string
	text    string
	cause   error
	at      position
}

var _ error = (*Error)(nil)

// newError returns the error of the setting that a flag names: the place of its value, its name, and the problem.
func newError(flag string, origin Origin, problem error) *Error {
	name := envOf(flag)
	switch {
	case origin.tenant != "":
		name = tenantsKey + "." + origin.tenant + "." + keyOf(flag)
	case origin.env != "":
		name = origin.env
	case origin.kind == fromFlag:
		name = "--" + flag
	}
	text := name
	switch {
	case origin.kind == fromFile && origin.tenant == "":
		text = origin.at.String() + ": " + keyOf(flag)
	case origin.at.line > 0:
		text = origin.at.String() + ": " + name
	case origin.kind == fromFlag && origin.env != "":
		text = "--" + flag + ": " + name
	}
	return &Error{Setting: name, text: text + ": " + problem.Error(), cause: problem, at: origin.at}
}

// Error implements error.
func (e *Error) Error() string { return e.text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// SetOrigins sets where the values came from, for a verb that copied them from its flags.
func (s *Settings) SetOrigins(origins Origins) { s.origins = origins }

// Errorf returns the error of a setting. Field points to the field of s that holds it.
func (s *Settings) Errorf(field any, format string, args ...any) *Error {
	problem := fmt.Errorf(format, args...)
	for _, spec := range settingSpecs() {
		if s.field(spec).Addr().Interface() == field {
			return newError(spec.flag, s.origins[spec.flag], problem)
		}
	}
	return &Error{text: problem.Error(), cause: problem}
}

// Name returns the name of the environment variable of a setting. Field points to the field of s that holds it.
func (s *Settings) Name(field any) string { return s.Errorf(field, "").Setting }

func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// nameOf is the name of the setting of a key, by its path.
func nameOf(key string) string {
	if strings.HasPrefix(key, tenantsKey+".") {
		return key
	}
	return envOf(key)
}

func envOf(flag string) string { return prefix + strings.ToUpper(keyOf(flag)) }
