package graphmap_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
)

// schema holds Graph's own declarations: testdata/schema.json names every type that can be reached from the roots, its
// base, and its properties. `[x]` is a list, `x beta` exists in the beta generation only, `x|y` is y in beta.
type schema struct {
	Types map[string]*graphType `json:"types"`
	Enums map[string]graphEnum  `json:"enums"`

	mu     sync.Mutex
	known  map[inGeneration][]string // variants
	props  map[inGeneration][]graphProperty
	listed map[inGeneration][]string // members
	bases  map[string][]string
}

// inGeneration names a type in one of the two generations.
type inGeneration struct {
	name string
	beta bool
}

type graphType struct {
	Base       string            `json:"base"`
	Abstract   bool              `json:"abstract"`
	Open       bool              `json:"open"`
	Beta       bool              `json:"beta"`
	Properties map[string]string `json:"properties"`
}

type graphEnum struct {
	Members []string `json:"members"`
	Flags   bool     `json:"flags"`
}

// graphProperty is a property as one generation of Graph declares it.
type graphProperty struct {
	name, declaring, typ string
	list                 bool
}

// theSchema is read once for all tests.
var theSchema = sync.OnceValues(func() (*schema, error) {
	raw, err := os.ReadFile("testdata/schema.json")
	if err != nil {
		return nil, err
	}
	s := &schema{
		known: map[inGeneration][]string{}, props: map[inGeneration][]graphProperty{}, listed: map[inGeneration][]string{}, bases: map[string][]string{},
	}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, err
	}
	for name := range s.Types {
		for base := name; base != ""; base = s.Types[base].Base {
			s.bases[name] = append(s.bases[name], base)
		}
	}
	return s, nil
})

func loadSchema(t reporter) *schema {
	t.Helper()
	s, err := theSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// chain returns a type and its bases, the most derived first.
func (s *schema) chain(name string) []string { return s.bases[name] }

// variants returns the types that may stand where name is declared, sorted: itself if it is not abstract, and all that
// derive from it.
func (s *schema) variants(name string, beta bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := inGeneration{name, beta}
	if found, ok := s.known[key]; ok {
		return found
	}
	var found []string
	for candidate, t := range s.Types {
		if !t.Abstract && (beta || !t.Beta) && slices.Contains(s.chain(candidate), name) {
			found = append(found, candidate)
		}
	}
	slices.Sort(found)
	s.known[key] = found
	return found
}

// properties returns what a type declares and inherits, sorted by name.
func (s *schema) properties(name string, beta bool) []graphProperty {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := inGeneration{name, beta}
	if found, ok := s.props[key]; ok {
		return found
	}
	var found []graphProperty
	for _, declaring := range s.chain(name) {
		for property, typ := range s.Types[declaring].Properties {
			typ, only := strings.CutSuffix(typ, " beta")
			if only && !beta {
				continue
			}
			p := graphProperty{name: property, declaring: declaring}
			if inner, ok := strings.CutPrefix(typ, "["); ok {
				p.list, typ = true, strings.TrimSuffix(inner, "]")
			}
			first, second, differs := strings.Cut(typ, "|")
			p.typ = first
			if differs && beta {
				p.typ = second
			}
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b graphProperty) int { return strings.Compare(a.name, b.name) })
	s.props[key] = found
	return found
}

// members returns the members of an enumeration.
func (s *schema) members(name string, beta bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := inGeneration{name, beta}
	if found, ok := s.listed[key]; ok {
		return found
	}
	var found []string
	for _, member := range s.Enums[name].Members {
		member, only := strings.CutSuffix(member, " beta")
		if beta || !only {
			found = append(found, member)
		}
	}
	s.listed[key] = found
	return found
}

// reporter is what *testing.T, *testing.F and *rapid.T have in common.
type reporter interface {
	Helper()
	Error(args ...any)
	Fatal(args ...any)
}
