package cli

import (
	"errors"
	"fmt"

	"github.com/parley-gateway/parley/internal/config"
)

type configVerb struct {
	Check configCheckVerb `cmd:"" help:"Check the configuration that serve would start with; exit code 0 or 2. Files that it names are read; nothing is listened on, called or written."`
	Show  configShowVerb  `cmd:"" help:"Print the configuration that serve would start with as YAML, with where each value came from. Secrets appear as paths only."`
}

type configCheckVerb struct {
	config.Loaded `embed:""`
}

// Run prints everything that is wrong, or that nothing is.
func (v *configCheckVerb) Run(to streams) error {
	if err := withGateway(&v.Loaded, v.Check()); err != nil {
		return usageError{err}
	}
	_, err := fmt.Fprintln(to.out, "the configuration is good")
	return err
}

// withGateway adds to the errors that Check has found those that the gateway finds in the files that the settings name.
func withGateway(s *config.Loaded, found error) error {
	if !s.FileRead() {
		return found
	}
	return s.Merge(found, s.CheckGateway())
}

type configShowVerb struct {
	config.Loaded `embed:""`
}

// Run prints the settings as they are, then what is wrong with them.
func (v *configShowVerb) Run(to streams) error {
	if !v.FileRead() {
		return usageError{v.Check()}
	}
	text, err := v.Show()
	if err != nil {
		return err
	}
	if _, err := to.out.Write(text); err != nil {
		return err
	}
	if err := v.Check(); err != nil {
		return usageError{err}
	}
	return nil
}

// asUsage marks an error that a setting causes.
func asUsage(err error) error {
	if _, ok := errors.AsType[*config.Error](err); ok {
		return usageError{err}
	}
	return err
}
