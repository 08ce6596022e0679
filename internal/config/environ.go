package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/internal/nearmiss"
)

// serviceLink is the form of the variables that Kubernetes and Docker set for a service whose name begins with the program's:
// PARLEY_SERVICE_HOST, PARLEY_GRPC_SERVICE_PORT_HTTP, PARLEY_PORT, PARLEY_PORT_9090_TCP_ADDR, PARLEY_NAME.
var serviceLink = regexp.MustCompile(`^PARLEY_(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT|PORT_[0-9]+_.+)$`)

// unknownVariables refuses the variables that begin like a setting and are none. Known are the variables of all verbs.
func unknownVariables(known []string) []error {
	var errs []error
	for _, variable := range slices.Sorted(slices.Values(os.Environ())) {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case !strings.HasPrefix(name, prefix), slices.Contains(known, name), serviceLink.MatchString(name):
		case name == prefix+"NAME" && strings.HasPrefix(value, "/"): // a Docker link; its value is /container/alias
		case strings.HasPrefix(name, prefix+"EXPORT_"): // settings of parley-export, which knows them all
		case strings.HasPrefix(name, prefix+"ENV_"): // the linked container's own environment
		default:
			errs = append(errs, &Error{Setting: name, text: name + ": is no setting; " + hint(name, known)})
		}
	}
	return errs
}

// hint says which known name a mistyped one may mean.
func hint(name string, known []string) string {
	if near := nearmiss.Nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "`parley serve --help` lists all"
}
