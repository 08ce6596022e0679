package authz

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/reload"
	"github.com/parley-gateway/parley/source"
)

const (
	maxFile  = 1 << 20 // bytes of a policy file
	maxRules = 1000
	every    = "all"
)

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// Parse reads a policy out of a file and the files of users that it names, which are found from its folder. Aliases are
// the tenants of the deployment. The error lists every mistake, each with file and line. The checks run last, on rules without a
// mistake of their own.
func Parse(path string, aliases []string, read reload.ReadFunc, checks ...Check) (*Policy, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	sum := sha256.New()
	p := &parser{path: path, aliases: aliases, read: func(name string) ([]byte, error) {
		text, err := read(name)
		sum.Write(append(digest(text), name...)) // a hash never fails
		return text, err
	}}
	sum.Write(digest(data))
	rules := p.file(data)
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	policy := &Policy{rules: rules, digest: "sha256:" + hex.EncodeToString(sum.Sum(nil))}
	for _, check := range checks {
		if err := check(policy); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return policy, nil
}

// Check returns an error for rules that the deployment cannot apply.
type Check func(*Policy) error

func digest(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

// parser reads one file and collects its mistakes.
type parser struct {
	path    string
	aliases []string
	read    reload.ReadFunc
	errs    []error
}

func (p *parser) failf(at *yaml.Node, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s:%d: %s", p.path, at.Line, fmt.Sprintf(format, args...)))
}

func (p *parser) file(data []byte) []rule {
	var root, more yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(data))
	if err := documents.Decode(&root); err != nil || len(root.Content) == 0 {
		p.failf(&yaml.Node{Line: 1}, "not a YAML document with `rules:`")
		return nil
	}
	if err := documents.Decode(&more); !errors.Is(err, io.EOF) {
		p.failf(&more, "only one document is read; put all rules into it")
		return nil
	}
	top := p.mapping(root.Content[0], "the file", "rules")
	list := top["rules"]
	if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		p.failf(root.Content[0], "needs `rules:` with at least one rule")
		return nil
	}
	if len(list.Content) > maxRules {
		p.failf(list, "has more than %d rules", maxRules)
		return nil
	}
	rules := make([]rule, 0, len(list.Content))
	seen := make(map[string]int)
	for _, node := range list.Content {
		r := p.rule(node)
		if first, twice := seen[r.name]; twice && r.name != "" {
			p.failf(node, "rule %q is there twice, first on line %d", r.name, first)
		}
		seen[r.name] = node.Line
		rules = append(rules, r)
	}
	return rules
}

// Bounds of a rule's weight.
const (
	leastWeight = 0.01
	mostWeight  = 100.0
)

func (p *parser) rule(node *yaml.Node) rule {
	var r rule
	parts := p.mapping(node, "a rule", "name", "match", "allow", "weight")
	if parts == nil {
		return r
	}
	if name := p.text(parts["name"]); !nameForm.MatchString(name) {
		p.failf(node, "a rule needs a `name` of letters, digits, dots, dashes and underscores, at most 64")
	} else {
		r.name = name
	}
	if parts["match"] == nil || parts["allow"] == nil {
		p.failf(node, "a rule needs `match` and `allow`")
		return r
	}
	if weight := parts["weight"]; weight != nil {
		n, err := strconv.ParseFloat(p.text(weight), 64)
		if err != nil || !(n >= leastWeight && n <= mostWeight) {
			p.failf(weight, "weight is a number from %g to %g: how many shares the rule's callers have while others wait", leastWeight, mostWeight)
		} else {
			r.weight = n
		}
	}
	p.match(parts["match"], &r)
	p.allow(parts["allow"], &r)
	return r
}

// match reads whom a rule is for.
func (p *parser) match(node *yaml.Node, r *rule) {
	parts := p.mapping(node, "match", "role", "scope", "group", "subject", "application", "kind", "authenticated")
	if parts == nil {
		return
	}
	if len(parts) == 0 {
		p.failf(node, "match is empty; write `authenticated: true` for every caller with a credential")
	}
	for key, to := range map[string]*[]string{
		"role": &r.roles, "scope": &r.scopes, "group": &r.groups, "application": &r.applications,
	} {
		*to = p.texts(parts[key], key)
	}
	for i, app := range r.applications {
		if uuidForm.MatchString(app) {
			r.applications[i] = strings.ToLower(app)
		}
	}
	kinds := authn.KindNames()
	for _, name := range p.texts(parts["kind"], "kind") {
		if i := slices.Index(kinds, name); i >= 0 {
			r.kinds = append(r.kinds, authn.Kind(i))
		} else {
			p.unknown(parts["kind"], "kind", name, kinds)
		}
	}
	r.subjects = p.subjects(parts["subject"], r.kinds)
	if flag := parts["authenticated"]; flag != nil {
		if flag.Kind != yaml.ScalarNode || flag.Value != "true" {
			p.failf(flag, "authenticated can only be `true`")
		}
		r.authenticated = true
	}
	p.checkSubjects(node, r)
}

// allow reads what a rule allows.
func (p *parser) allow(node *yaml.Node, r *rule) {
	parts := p.mapping(node, "allow", "rpcs", "sources", "view", "users", "tenants", "graph")
	if parts == nil {
		return
	}
	for _, key := range []string{"rpcs", "sources", "view", "users"} {
		if parts[key] == nil {
			p.failf(node, "allow needs `%s`", key)
		}
	}
	r.rpcs = choose(p, parts["rpcs"], "rpcs", sortedKeys(methods), func(name string) string { return name })
	r.sources = choose(p, parts["sources"], "sources", sortedKeys(sourcesByName), func(name string) parleyv1.Source { return sourcesByName[name] })
	if node := parts["sources"]; node != nil && p.isEvery(node) {
		r.sources = source.WithoutOptIn(r.sources)
	}
	if name := p.text(parts["view"]); parts["view"] != nil {
		view, ok := viewsByName[name]
		if !ok {
			p.unknown(parts["view"], "view", name, sortedKeys(viewsByName))
		}
		r.view = view
	}
	p.users(parts["users"], r)
	if permission := parts["graph"]; permission != nil {
		switch name := p.text(permission); name {
		case OnBehalfOf:
			r.onBehalf = true
		case ByApplication:
		default:
			p.unknown(permission, "graph", name, []string{ByApplication, OnBehalfOf})
		}
	}
	if list := parts["tenants"]; list != nil {
		r.everyTenant = p.isEvery(list)
		if !r.everyTenant {
			r.tenants = choose(p, list, "tenants", p.aliases, func(name string) string { return name })
		}
	}
	p.checkRule(node, r)
}

// users reads whose data a rule is about: own, all, or the users that a file lists.
func (p *parser) users(node *yaml.Node, r *rule) {
	switch {
	case node == nil:
		return
	case node.Kind == yaml.ScalarNode && node.Value == "own":
		r.users = usersOwn
		return
	case node.Kind == yaml.ScalarNode && node.Value == every:
		r.users = usersAll
		return
	case node.Kind != yaml.MappingNode:
		p.failf(node, "users is `own`, `all` or `listed: file`")
		return
	}
	p.listedUsers(node, r)
}

// listedUsers reads `listed: file`, whose file has the object ids of the users, one a line.
func (p *parser) listedUsers(node *yaml.Node, r *rule) {
	file := p.mapping(node, "users", "listed")["listed"]
	name := p.text(file)
	if name == "" {
		p.failf(node, "users: listed names a file of object ids, one a line")
		return
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(p.path), name)
	}
	data, err := p.read(name)
	if err != nil {
		p.failf(file, "users: %v", err)
		return
	}
	r.users, r.listed = usersListed, make(map[string]bool)
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		id, _, _ := strings.Cut(line, "#")
		switch id = strings.TrimSpace(id); {
		case id == "":
		case uuidForm.MatchString(id):
			r.listed[strings.ToLower(id)] = true
		default:
			p.errs = append(p.errs, fmt.Errorf("%s:%d: not an object id", name, number))
			return
		}
	}
}

// checkRule refuses parts of a rule that can never take effect, since their author believes that they do.
func (p *parser) checkRule(node *yaml.Node, r *rule) {
	for _, name := range r.rpcs {
		method := methods[name]
		reads := slices.ContainsFunc(method.Sources, func(src parleyv1.Source) bool { return slices.Contains(r.sources, src) })
		if len(r.sources) > 0 && !reads {
			p.failf(node, "allows %s but not what it reads: sources %s", name, strings.Join(SourceNames(method.Sources), ", "))
		}
		if !method.PerUser && (r.users == usersOwn || r.users == usersListed) {
			p.failf(node, "allows %s, which reads the whole tenant, and needs `users: all`", name)
		}
	}
	if r.onBehalf {
		p.checkOnBehalf(node, r)
	}
	if r.users == usersOwn && len(r.kinds) > 0 && !slices.Contains(r.kinds, authn.KindUser) {
		p.failf(node, "allows `users: own` to callers of a kind that has no own data; only users have")
	}
}
