package config

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"regexp"
	"slices"
	"strconv"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/configpb"
	"github.com/parley-gateway/parley/internal/fielderror"
)

// auditFile is the flag of the only file that is written.
const auditFile = "audit-file"

var sizeForm = regexp.MustCompile(`^(\d+)(B|KiB|MiB|GiB)?$`)

// Check returns everything that is wrong at once: the values that break the rules of their settings, the contradictions between
// settings, and the files that cannot be read. Each error names its setting, where the value came from, and the fix.
func (s *Settings) Check() error { return s.check(nil) }

// check is Check, which leaves out the settings whose values were reported before: wrong has the paths of their keys.
func (s *Settings) check(wrong map[string]bool) error {
	validator, err := protovalidate.New()
	if err != nil {
		return err
	}
	c := &checker{settings: s, wrong: wrong, validator: validator}
	c.rules(slices.DeleteFunc(slices.Clone(settings()), func(known setting) bool { return known.graph && len(s.Tenants) > 0 }))
	if _, err := ParseSize(s.CacheSize); s.CacheSize != "" && err != nil {
		c.failf(&s.CacheSize, "%w", err)
	}
	c.checkSecurity()
	c.checkTenants()
	return errors.Join(c.errs...)
}

// checker collects what is wrong with settings.
type checker struct {
	settings *Settings
	// wrong has the paths of the keys whose values were reported before.
	wrong map[string]bool
	// validator has the compiled rules of the configuration's proto. The checkers of the tenants share it, because compiling the rules
	// takes most of a check.
	validator protovalidate.Validator
	errs      []error
}

// failf notes what is wrong with the setting that a field of the settings holds.
func (c *checker) failf(field any, format string, args ...any) {
	for _, known := range settings() {
		if c.settings.field(known).Addr().Interface() == field {
			c.failed(known, fmt.Errorf(format, args...))
		}
	}
}

// mention returns how a message about one setting mentions another: its name, its value, and the place of the value in parentheses
// unless it came from the variable of that name.
func (c *checker) mention(field *string) string {
	i := slices.IndexFunc(settings(), func(known setting) bool { return c.settings.field(known).Addr().Interface() == field })
	known := settings()[i]
	text := envOf(known.flag)
	if !known.path {
		text += "=" + *field
	}
	if origin := c.settings.origins[known.flag]; origin.kind == fromFile || origin.kind == fromFlag {
		text += " (" + origin.describe(known.flag) + ")"
	}
	return text
}

// failed notes what is wrong with a setting, once, unless its value was reported before.
func (c *checker) failed(known setting, problem error) {
	origin := c.settings.origins[known.flag]
	if err := newError(known.flag, origin, problem); !c.wrong[keyPath(known, origin)] && !c.wrong[known.key] {
		c.add(err)
	}
}

// keyPath is the path of the key of a setting.
func keyPath(known setting, origin Origin) string {
	if origin.tenant == "" {
		return known.key
	}
	return tenantsKey + "." + origin.tenant + "." + known.key
}

// add notes an error once.
func (c *checker) add(err error) {
	if !slices.ContainsFunc(c.errs, func(other error) bool { return other.Error() == err.Error() }) {
		c.errs = append(c.errs, err)
	}
}

// rules checks each value alone: by the rules that the proto of the configuration file has, and whether the file that it names can be
// opened.
func (c *checker) rules(known []setting) {
	broken, err := c.violations()
	if err != nil {
		c.errs = append(c.errs, err)
	}
	for _, violation := range broken {
		path := violation.GetField().GetElements()
		if len(path) == 0 {
			continue
		}
		if path[0].GetFieldName() == tenantsKey {
			c.failTenant(path[0].GetStringKey(), violation.GetMessage())
			continue
		}
		i := slices.IndexFunc(known, func(s setting) bool { return s.key == path[0].GetFieldName() })
		if i >= 0 {
			c.failed(known[i], fmt.Errorf("%s%s", c.settings.quoted(known[i]), violation.GetMessage()))
		}
	}
	for _, each := range known {
		if path := c.settings.field(each); each.path && each.flag != auditFile {
			if err := tryOpen(path.String()); err != nil {
				c.failed(each, withoutSecret(each, err))
			}
		}
	}
}

// violations returns the rules of the proto that the settings break.
func (c *checker) violations() ([]*validate.Violation, error) {
	message := c.settings.toProto()
	for alias := range c.settings.Tenants {
		if message.Tenants == nil {
			message.Tenants = make(map[string]*configpb.Tenant)
		}
		message.Tenants[alias] = new(configpb.Tenant)
	}
	err := c.validator.Validate(message)
	broken, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return nil, err
	}
	return broken.ToProto().GetViolations(), nil
}

// failTenant notes what is wrong with a tenant's alias, or with the tenants as a whole where alias is empty.
func (c *checker) failTenant(alias, problem string) {
	place := c.settings.Tenants[alias].origins[""].at
	text := tenantsKey + ": "
	if place.line > 0 {
		text = place.String() + ": " + text
	}
	if alias != "" {
		text += quote(shorten(alias)) + " "
	}
	c.errs = append(c.errs, &Error{Setting: tenantsKey, text: text + problem, at: place})
}

// withoutSecret removes the path from an error of opening a file, where the path may be the secret itself.
func withoutSecret(known setting, err error) error {
	if known.secret {
		return fmt.Errorf("%w; give the path of a file that the gateway may read", withoutPath(err))
	}
	return err
}

func (c *checker) checkGraph() {
	s := c.settings
	if _, err := graph.CloudByName(s.GraphCloud); err != nil {
		c.failf(&s.GraphCloud, "%s", problemOf(err))
	}
	c.checkCredential()
}

// problemOf is the text of a library's error without the name of its field.
func problemOf(err error) string {
	if wrong, ok := errors.AsType[*fielderror.Error](err); ok {
		return wrong.Problem
	}
	return err.Error()
}

func (c *checker) checkCredential() {
	s := c.settings
	need := func(field *string) {
		if *field == "" {
			c.failf(field, "is needed with %s", c.mention(&s.GraphCredential))
		}
	}
	switch s.GraphCredential {
	case "":
		c.failf(&s.GraphCredential, "is not set; use client-secret, client-certificate, workload-identity, managed-identity, "+
			"azure-cli, or none for a Graph on loopback (`parley demo` brings one)")
		return
	case "none":
		need(&s.GraphURL)
	case "client-secret":
		need(&s.GraphTenantID)
		need(&s.GraphClientID)
		need(&s.GraphClientSecretFile)
	case "client-certificate":
		need(&s.GraphTenantID)
		need(&s.GraphClientID)
		need(&s.GraphCertificateFile)
	case "workload-identity", "managed-identity", "azure-cli":
		need(&s.GraphTenantID)
	default:
		return // the rule of the setting refuses it
	}
	if s.GraphClientSecretFile != "" && s.GraphCredential != "client-secret" {
		c.failf(&s.GraphClientSecretFile, "contradicts %s; unset one of them", c.mention(&s.GraphCredential))
	}
	if s.GraphCertificateFile != "" && s.GraphCredential != "client-certificate" {
		c.failf(&s.GraphCertificateFile, "contradicts %s; unset one of them", c.mention(&s.GraphCredential))
	}
}

// ParseSize reads a number of bytes such as 512KiB, 64MiB or 2GiB.
func ParseSize(text string) (int64, error) {
	match := sizeForm.FindStringSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("%q is not a size; write bytes as 512KiB, 64MiB or 2GiB", text)
	}
	number, err := strconv.ParseUint(match[1], 10, 40)
	if err != nil {
		return 0, fmt.Errorf("%q is too large for a size", text)
	}
	shift := map[string]int{"": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30}[match[2]]
	if bits.Len64(number)+shift > 62 {
		return 0, fmt.Errorf("%q is too large for a size", text)
	}
	return int64(number << shift), nil
}

// tryOpen returns why a file cannot be read; nil where it can, and for an empty path.
func tryOpen(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = &os.PathError{Op: "read", Path: path, Err: errors.New("is a folder")}
	}
	return errors.Join(err, file.Close())
}
