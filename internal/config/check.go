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

// check is Check, which leaves out the settings whose values were reported before: reported has the paths of their keys.
func (s *Settings) check(reported map[string]bool) error {
	validator, err := protovalidate.New()
	if err != nil {
		return err
	}
	c := &checker{settings: s, reported: reported, validator: validator}
	c.checkValues(slices.DeleteFunc(slices.Clone(settingSpecs()), func(spec settingSpec) bool { return spec.graph && len(s.Tenants) > 0 }))
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
	// reported has the paths of the keys whose values were reported before this check.
	reported map[string]bool
	// validator has the compiled rules of the configuration's proto. The checkers of the tenants share it, because compiling the rules
	// takes most of a check.
	validator protovalidate.Validator
	errs      []error
}

// failf notes what is wrong with the setting that a field of the settings holds.
func (c *checker) failf(field any, format string, args ...any) {
	for _, spec := range settingSpecs() {
		if c.settings.field(spec).Addr().Interface() == field {
			c.fail(spec, fmt.Errorf(format, args...))
		}
	}
}

// mention returns how a message about one setting mentions another: its name, its value, and the place of the value in parentheses
// unless it came from the variable of that name.
func (c *checker) mention(field *string) string {
	i := slices.IndexFunc(settingSpecs(), func(spec settingSpec) bool { return c.settings.field(spec).Addr().Interface() == field })
	spec := settingSpecs()[i]
	text := envOf(spec.flag)
	if !spec.path {
		text += "=" + *field
	}
	if origin := c.settings.origins[spec.flag]; origin.kind == fromFile || origin.kind == fromFlag {
		text += " (" + origin.describe(spec.flag) + ")"
	}
	return text
}

// fail notes what is wrong with a setting, once, unless its value was reported before.
func (c *checker) fail(spec settingSpec, problem error) {
	origin := c.settings.origins[spec.flag]
	if err := newError(spec.flag, origin, problem); !c.reported[keyPath(spec, origin)] && !c.reported[spec.key] {
		c.addOnce(err)
	}
}

// keyPath is the path of the key of a setting.
func keyPath(spec settingSpec, origin Origin) string {
	if origin.tenant == "" {
		return spec.key
	}
	return tenantsKey + "." + origin.tenant + "." + spec.key
}

// addOnce notes an error unless there is an equal one.
func (c *checker) addOnce(err error) {
	if !slices.ContainsFunc(c.errs, func(other error) bool { return other.Error() == err.Error() }) {
		c.errs = append(c.errs, err)
	}
}

// checkValues checks each value alone: by the rules that the proto of the configuration file has, and whether the file that it names can be
// opened.
func (c *checker) checkValues(specs []settingSpec) {
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
		i := slices.IndexFunc(specs, func(s settingSpec) bool { return s.key == path[0].GetFieldName() })
		if i >= 0 {
			c.fail(specs[i], fmt.Errorf("%s%s", c.settings.quoted(specs[i]), violation.GetMessage()))
		}
	}
	for _, spec := range specs {
		if path := c.settings.field(spec); spec.path && spec.flag != auditFile {
			if err := tryOpen(path.String()); err != nil {
				c.fail(spec, withoutSecret(spec, err))
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
func withoutSecret(spec settingSpec, err error) error {
	if spec.secret {
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
	if fieldErr, ok := errors.AsType[*fielderror.Error](err); ok {
		return fieldErr.Problem
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
