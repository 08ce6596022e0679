package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/parley-gateway/parley/internal/fielderror"
)

// Loaded are the settings of the verbs that serve, check or show them: those of the command line, the environment and the
// configuration file, and what was wrong with them.
type Loaded struct {
	Settings `embed:""`

	Config string `name:"config" env:"PARLEY_CONFIG_FILE" placeholder:"FILE" help:"YAML file of settings; keys are the environment names in lower case without PARLEY_."`

	reported map[string]bool // paths of the keys whose mistake is in errs
	errs     []error
	fileRead bool // the configuration file was read to its end, or there is none
}

// loaded is the method by which a CommandLine recognizes a verb with Loaded settings.
func (s *Loaded) loaded() *Loaded { return s }

// load adds the values of the configuration file to those of the command line and the environment, which win.
func (s *Loaded) load(origins Origins, reported map[string]bool, errs []error) {
	s.origins, s.reported, s.errs, s.fileRead = maps.Clone(origins), reported, errs, !reported[configKey]
	if s.Config == "" {
		return
	}
	from, err := readFile(s.Config)
	if err != nil {
		s.errs = append(s.errs, s.fileError(err))
	}
	s.fileRead = s.fileRead && from.readToEnd
	maps.Copy(s.reported, from.reported)
	winners := s.Settings
	s.setFromProto(from.message, func(key string) Origin { return Origin{kind: fromFile, at: from.positions[key]} })
	for _, spec := range settingSpecs() {
		if origin, set := origins[spec.flag]; set {
			s.field(spec).Set(winners.field(spec))
			s.origins[spec.flag] = origin
		}
	}
	s.setTenants(from)
}

// fileError returns the error of the configuration file. Where the file cannot even be opened, it names the setting that names the file.
func (s *Loaded) fileError(err error) error {
	if opened := tryOpen(kong.ExpandPath(s.Config)); opened != nil {
		return newError(configKey, s.origins[configKey], fmt.Errorf("%s: %w", s.Config, withoutPath(opened)))
	}
	return err
}

// FileRead reports whether the configuration file was read to its end, whatever is wrong with single values. Otherwise a setting that seems
// to be unset may stand in the rest of the file.
func (s *Loaded) FileRead() bool { return s.fileRead }

// Check returns everything that is wrong at once: what could not be read, and what Settings.Check finds in the rest.
func (s *Loaded) Check() error {
	found := s.errs
	if s.fileRead { // otherwise what seems to be unset may be in the file
		found = append(slices.Clip(found), s.check(s.reported))
	}
	return inOrder(errors.Join(found...))
}

// Merge joins the errors of two checks. An error of more is left out where first has one of the same setting, or where the value of the
// setting could not be read.
func (s *Loaded) Merge(first, more error) error {
	reported := make(map[string]bool)
	for key := range s.reported {
		reported[nameOf(key)] = true
	}
	for _, err := range fielderror.Flat(first) {
		if settingErr, ok := errors.AsType[*Error](err); ok && settingErr.Setting != "" {
			reported[settingErr.Setting] = true
		}
	}
	for _, err := range fielderror.Flat(more) {
		if settingErr, ok := errors.AsType[*Error](err); !ok || !reported[settingErr.Setting] {
			first = errors.Join(first, err)
		}
	}
	return inOrder(first)
}

// inOrder puts the errors of the file behind the others, by line and column.
func inOrder(err error) error {
	all := fielderror.Flat(err)
	slices.SortStableFunc(all, func(a, b error) int {
		return cmp.Or(cmp.Compare(errorPosition(a).line, errorPosition(b).line), errorPosition(a).column-errorPosition(b).column)
	})
	return errors.Join(all...)
}

func errorPosition(err error) position {
	if settingErr, ok := errors.AsType[*Error](err); ok {
		return settingErr.at
	}
	return position{}
}
