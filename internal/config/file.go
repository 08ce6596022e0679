package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"buf.build/go/protoyaml"
	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/internal/configpb"
	"github.com/parley-gateway/parley/internal/fielderror"
	"github.com/parley-gateway/parley/internal/nearmiss"
)

const (
	maxFile  = 1 << 20 // bytes of a configuration file
	maxShown = 40      // bytes of an unknown key in a message
)

// file is a configuration file as far as it could be read.
type file struct {
	message *configpb.Settings
	// positions has the place of each value by its key, tenants.<alias>.<key> in a tenant, and that of tenants.<alias>.
	positions map[string]position
	// reported has the paths of the keys whose mistake is in the error of readFile: the value cannot be read, or the key is mistyped. No
	// later check says of them that they are not set.
	reported map[string]bool
	// readToEnd is false where the file could not be read to its end.
	readToEnd bool
}

// readFile reads a configuration file. It returns the values that could be read, and every mistake.
func readFile(path string) (*file, error) {
	opened, err := os.Open(kong.ExpandPath(path))
	if err != nil {
		return parseFile(path, nil, err)
	}
	data, err := io.ReadAll(io.LimitReader(opened, maxFile+1))
	err = errors.Join(err, opened.Close())
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("is larger than %d bytes", maxFile)
	}
	return parseFile(path, data, err)
}

// parseFile reads the text of a configuration file, unless reading it failed.
func parseFile(path string, data []byte, failed error) (*file, error) {
	r := &fileReader{path: path, file: file{
		message: new(configpb.Settings), positions: make(map[string]position), reported: make(map[string]bool),
	}}
	if failed == nil && !utf8.Valid(data) {
		failed = errors.New("is not text in UTF-8")
	}
	if failed != nil {
		return &r.file, fmt.Errorf("%s: %w", path, withoutPath(failed))
	}
	if err := r.wellFormed(data); err != nil {
		return &r.file, err
	}
	r.readToEnd = true
	options := protoyaml.UnmarshalOptions{CustomUnmarshaler: r}
	r.addUnreadable(options.Unmarshal(padded(data), r.message))
	for _, key := range r.mistyped {
		if _, set := r.positions[key]; !set {
			r.reported[key] = true
		}
	}
	return &r.file, errors.Join(r.errs...)
}

// withoutPath removes the path from an error of the file system, for messages that name the file already or must not name it.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return failed.Err
	}
	return err
}

// padded appends a line feed for each line break of another kind. YAML has more kinds of line breaks than protoyaml, which looks
// up the line of a mistake and must find as many.
func padded(data []byte) []byte {
	others := bytes.Count(data, []byte("\r")) + bytes.Count(data, []byte("\u0085")) + bytes.Count(data, []byte("\u2028")) +
		bytes.Count(data, []byte("\u2029"))
	return append(slices.Clip(data), bytes.Repeat([]byte("\n"), others)...)
}

// fileReader reads one file. As a protoyaml.CustomUnmarshaler it sees the tree of nodes before protoyaml does: it notes where each
// value stands, and takes out and reports what protoyaml would accept or would report with the text of the line.
type fileReader struct {
	file

	path string
	errs []error
	// mistyped are the paths of the keys that unknown ones may mean.
	mistyped []string
}

var _ protoyaml.CustomUnmarshaler = (*fileReader)(nil)

func (r *fileReader) positionOf(node *yaml.Node) position {
	return position{path: r.path, line: node.Line, column: node.Column}
}

func (r *fileReader) failf(at *yaml.Node, format string, args ...any) {
	place := r.positionOf(at)
	r.errs = append(r.errs, &Error{text: place.String() + ": " + fmt.Sprintf(format, args...), at: place})
}

// Unmarshal implements protoyaml.CustomUnmarshaler. It leaves the reading of values to protoyaml.
func (r *fileReader) Unmarshal(node *yaml.Node, message proto.Message) (bool, error) {
	if _, top := message.(*configpb.Settings); !top {
		return false, nil
	}
	if isNull(node) {
		return true, nil
	}
	if node.Kind != yaml.MappingNode {
		r.failf(node, "expected `key: value` lines")
		return true, nil
	}
	r.checkMapping(node, "", settingSpecs())
	return false, nil
}

// checkMapping checks the keys of a mapping, the file itself or one tenant, and keeps in it what protoyaml is to read.
func (r *fileReader) checkMapping(node *yaml.Node, path string, specs []settingSpec) {
	seen := make(map[string]int)
	node.Content = slices.Collect(func(yield func(*yaml.Node) bool) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			if r.checkEntry(key, value, path, specs, seen) && (!yield(key) || !yield(value)) {
				return
			}
		}
	})
}

// checkEntry checks the key and the value of an entry of a mapping, and reports whether protoyaml is to read it.
func (r *fileReader) checkEntry(key, value *yaml.Node, path string, specs []settingSpec, seen map[string]int) bool {
	name := key.Value
	if key.Kind != yaml.ScalarNode {
		r.failf(key, "expected the name of a setting before the colon")
		return false
	}
	if line, twice := seen[name]; twice {
		r.failf(key, "%s%s is set twice, first on line %d; remove one of them", path, shorten(name), line)
		return false
	}
	seen[name] = key.Line
	if path == "" && name == tenantsKey {
		return r.checkTenants(value)
	}
	i := slices.IndexFunc(specs, func(s settingSpec) bool { return s.key == name })
	if i < 0 {
		r.addUnknown(key, path, specs)
		return false
	}
	return r.checkValue(value, path+name, specs[i])
}

// checkValue notes where the value of a setting stands, and reports whether protoyaml is to read it.
func (r *fileReader) checkValue(value *yaml.Node, key string, spec settingSpec) bool {
	switch {
	case value.Kind == yaml.AliasNode || value.Anchor != "":
		r.failf(value, "%s: anchors and aliases are not read; write the value out", key)
	case value.Kind != yaml.ScalarNode:
		r.failf(value, "%s: expected one value, not a list or mapping", key)
	case isNull(value):
		return false
	default:
		rewritten, ok := spec.forProtoyaml(value.Value)
		if ok {
			value.Value, value.Tag = rewritten, yamlTags[spec.kind]
			r.positions[key] = r.positionOf(value)
			return true
		}
		r.failf(value, "%s: %s", key, mistakes[spec.kind])
	}
	r.reported[key] = true
	return false
}

// addUnknown refuses a key, and says which one it may mean.
func (r *fileReader) addUnknown(key *yaml.Node, path string, specs []settingSpec) {
	spelled := keyOf(strings.ToLower(strings.TrimPrefix(key.Value, prefix)))
	names := make([]string, 0, len(specs)+1)
	for _, s := range specs {
		names = append(names, s.key)
	}
	if path == "" {
		names = append(names, tenantsKey)
	} else if slices.ContainsFunc(settingSpecs(), func(s settingSpec) bool { return s.key == spelled && !s.graph }) {
		r.failf(key, "%sunknown key %q: it is no setting of a tenant; move it to the top of the file", tenantPrefix(path), shorten(key.Value))
		return
	}
	near := nearmiss.Nearest(spelled, names)
	r.mistyped = append(r.mistyped, path+near)
	switch {
	case near != "":
		r.failf(key, "%sunknown key %q; did you mean %s?", tenantPrefix(path), shorten(key.Value), near)
	case path != "":
		r.failf(key, "%sunknown key %q; known are %s", tenantPrefix(path), shorten(key.Value), strings.Join(names, ", "))
	default:
		r.failf(key, "unknown key %q; `parley serve --help` lists all", shorten(key.Value))
	}
}

// tenantPrefix returns the beginning of a message about a key: the path of its tenant, if it is in one.
func tenantPrefix(path string) string {
	if path == "" {
		return ""
	}
	return strings.TrimSuffix(path, ".") + ": "
}

// shorten keeps a key, which may be a misplaced value, from filling a message.
func shorten(text string) string {
	if len(text) > maxShown {
		return strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}

// protoyamlPlace matches the place of a mistake at the beginning of a message of protoyaml.
var protoyamlPlace = regexp.MustCompile(`^:(\d+):(\d+) `)

// addUnreadable reports the values that protoyaml could not read although the gateway can. Its own messages quote the line, which may hold a
// secret; so only their places are taken.
func (r *fileReader) addUnreadable(err error) {
	for _, each := range fielderror.Flat(err) {
		at := position{path: r.path}
		if match := protoyamlPlace.FindStringSubmatch(each.Error()); match != nil {
			at.line, at.column = number(match[1]), number(match[2])
		}
		r.errs = append(r.errs, &Error{text: at.String() + ": cannot be read", at: at})
	}
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }
