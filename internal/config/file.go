package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// maxFile bounds the configuration file.
const maxFile = 1 << 20

// File is a kong resolver over one YAML file of scalar keys.
type File struct {
	path   string
	values map[string]entry
	used   map[string]bool
	// tenants are the keys of each tenant by alias.
	tenants map[string]map[string]entry
}

type entry struct {
	value string
	line  int
}

// Load reads a YAML mapping of scalar keys. Errors name file, line and key.
func Load(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("--config: %s is larger than %d bytes", path, maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	return parse(path, data)
}

func parse(path string, data []byte) (*File, error) {
	file := &File{path: path, values: map[string]entry{}, used: map[string]bool{}}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		// The library's text may quote the offending line, which may hold a secret.
		return nil, fmt.Errorf("%s: not valid YAML; write one `key: value` a line", path)
	}
	if len(root.Content) == 0 {
		return file, nil
	}
	mapping := root.Content[0]
	if mapping.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: expected `key: value` lines", path, mapping.Line)
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if key.Value == tenantsKey && file.tenants == nil && value.Kind != yaml.ScalarNode {
			if err := file.readTenants(value); err != nil {
				return nil, err
			}
			continue
		}
		if value.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s:%d: %s: expected one value, not a list or mapping", path, value.Line, key.Value)
		}
		if _, twice := file.values[key.Value]; twice {
			return nil, fmt.Errorf("%s:%d: %s is set twice", path, key.Line, key.Value)
		}
		if value.Tag == "!!null" {
			continue
		}
		file.values[key.Value] = entry{value: value.Value, line: key.Line}
	}
	return file, nil
}

// Validate refuses keys that no setting has, all of them at once.
func (f *File) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, node := range app.Leaves(true) {
		for _, flag := range node.Flags {
			known[keyOf(flag.Name)] = len(flag.Envs) > 0
		}
	}
	var errs []error
	for key, e := range f.values {
		if !known[key] {
			errs = append(errs, fmt.Errorf("%s:%d: unknown key %q; `parley serve --help` lists all", f.path, e.line, key))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// Resolve returns the file's value of a flag unless the environment has one, which wins.
func (f *File) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil //nolint:nilnil // kong's own way to say "no value here"
		}
	}
	e, ok := f.values[keyOf(flag.Name)]
	if !ok {
		return nil, nil //nolint:nilnil // kong's own way to say "no value here"
	}
	return e.value, nil
}

func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }
