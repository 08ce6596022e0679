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

	wrong map[string]bool // paths of keys whose values could not be read
	errs  []error
	whole bool // the configuration file was read to its end, or there is none
}

// loaded is the method by which a CommandLine recognizes a verb with Loaded settings.
func (s *Loaded) loaded() *Loaded { return s }

// load adds the values of the configuration file to those of the command line and the environment, which win.
func (s *Loaded) load(origins Origins, wrong map[string]bool, errs []error) {
	s.origins, s.wrong, s.errs, s.whole = maps.Clone(origins), wrong, errs, !wrong[configKey]
	if s.Config == "" {
		return
	}
	from, err := readFile(s.Config)
	if err != nil {
		s.errs = append(s.errs, s.fileError(err))
	}
	s.whole = s.whole && from.whole
	maps.Copy(s.wrong, from.wrong)
	winners := s.Settings
	s.setFromProto(from.message, func(key string) Origin { return Origin{kind: fromFile, at: from.at[key]} })
	for _, known := range settings() {
		if origin, set := origins[known.flag]; set {
			s.field(known).Set(winners.field(known))
			s.origins[known.flag] = origin
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

// Whole reports whether the configuration file was read to its end, whatever is wrong with single values. Otherwise a setting that seems
// to be unset may stand in the rest of the file.
func (s *Loaded) Whole() bool { return s.whole }

// Check returns everything that is wrong at once: what could not be read, and what Settings.Check finds in the rest.
func (s *Loaded) Check() error {
	found := s.errs
	if s.whole { // otherwise what seems to be unset may be in the file
		found = append(slices.Clip(found), s.check(s.wrong))
	}
	return inOrder(errors.Join(found...))
}

// Merge joins the errors of two checks. An error of more is left out where first has one of the same setting, or where the value of the
// setting could not be read.
func (s *Loaded) Merge(first, more error) error {
	known := make(map[string]bool)
	for key := range s.wrong {
		known[nameOf(key)] = true
	}
	for _, err := range fielderror.Flat(first) {
		if wrong, ok := errors.AsType[*Error](err); ok && wrong.Setting != "" {
			known[wrong.Setting] = true
		}
	}
	for _, err := range fielderror.Flat(more) {
		if wrong, ok := errors.AsType[*Error](err); !ok || !known[wrong.Setting] {
			first = errors.Join(first, err)
		}
	}
	return inOrder(first)
}

// inOrder puts the errors of the file behind the others, by line and column.
func inOrder(err error) error {
	all := fielderror.Flat(err)
	slices.SortStableFunc(all, func(a, b error) int {
		return cmp.Or(cmp.Compare(placeOf(a).line, placeOf(b).line), placeOf(a).column-placeOf(b).column)
	})
	return errors.Join(all...)
}

func placeOf(err error) position {
	if wrong, ok := errors.AsType[*Error](err); ok {
		return wrong.at
	}
	return position{}
}
