package parley

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/internal/fielderror"
)

// ConfigError says which field of a Config keeps a gateway from being made or started, what is wrong with it, and how to mend it.
// New, Check and Gateway.Start report all that they find at once, joined; ConfigErrors takes them apart.
type ConfigError struct {
	// Field is the path of the field in Config, such as HTTP.Addr, OIDC.Issuer or Tenants[contoso].ClientSecretFile.
	Field string
	// Problem reads after the name of the field. It never quotes a secret.
	Problem string

	cause error
}

var _ error = (*ConfigError)(nil)

// Error is the field and the problem.
func (e *ConfigError) Error() string { return e.Field + ": " + e.Problem }

// Unwrap returns the cause, such as the error of the file system; nil where there is none.
func (e *ConfigError) Unwrap() error { return e.cause }

// ConfigErrors returns the errors of fields in an error of New, Check or Gateway.Start, in their order. An error of another kind is
// none of them.
func ConfigErrors(err error) []*ConfigError {
	var found []*ConfigError
	for _, each := range fielderror.Flat(err) {
		if wrong, ok := errors.AsType[*ConfigError](each); ok {
			found = append(found, wrong)
		}
	}
	return found
}

// configErrors collects what is wrong with fields of a Config.
type configErrors []error

func (e *configErrors) addf(field, format string, args ...any) {
	*e = append(*e, configError(field, fmt.Errorf(format, args...)))
}

// join returns the errors by the names of their fields.
func (e *configErrors) join() error {
	slices.SortStableFunc(*e, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(*e...)
}

// configError returns the errors of a field in which err found one or more mistakes; nil for nil.
func configError(field string, err error) error {
	all := fielderror.Flat(err)
	for i, mistake := range all {
		all[i] = &ConfigError{Field: field, Problem: mistake.Error(), cause: mistake}
	}
	return errors.Join(all...)
}

// renamed turns the field errors of a part of the gateway into those of Config. Fields has the name in Config by the part's own. A
// field that is not in fields stays as it is, and no setting is named for it; so do other errors.
func renamed(err error, fields map[string]string) error {
	all := fielderror.Flat(err)
	for i, each := range all {
		wrong, ok := errors.AsType[*fielderror.Error](each)
		if !ok {
			continue
		}
		if field, known := fields[wrong.Field]; known {
			all[i] = &ConfigError{Field: field, Problem: wrong.Problem, cause: wrong}
		}
	}
	return errors.Join(all...)
}

// tenantField is the path of a tenant in Config.
func tenantField(alias string) string { return "Tenants[" + alias + "]" }
