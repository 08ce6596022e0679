package authz

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/parley-gateway/parley/server/authn"
)

// subject is a name in one namespace: the same text in another one is somebody else.
type subject struct {
	space authn.Namespace
	name  string
	// stated is set where the rule names the namespace, and does not leave it to the name's form.
	stated bool
}

// spaces are the namespaces that a rule may name before a colon.
var spaces = []authn.Namespace{authn.TokenSubject, authn.URIName, authn.DNSName}

// subjectOf reads a subject: `token:`, `uri:` or `dns:` and a name. Without one of them the kinds of the rule decide, then the
// name's form: with :// it is a URI, a host name with a dot is a DNS name, and all else is a token's subject.
func subjectOf(text string, kinds []authn.Kind) (subject, error) {
	s := subject{space: authn.TokenSubject, name: text}
	for _, space := range spaces {
		if name, found := strings.CutPrefix(text, space.String()+":"); found {
			s = subject{space, name, true}
		}
	}
	host := strings.ToLower(s.name)
	// A wildcard, too, is meant for hosts.
	isHost := authn.IsDNSName(strings.ReplaceAll(host, "*", "x"))
	tokens, certificates := credentialsOf(kinds)
	switch {
	case s.stated || !certificates:
	case strings.Contains(text, "://"):
		s.space = authn.URIName
	case isHost && (!tokens || strings.Contains(text, ".")):
		s.space = authn.DNSName
	}
	switch {
	case s.name == "":
		return s, fmt.Errorf("subject %q names nobody", shorten(text))
	case s.space == authn.TokenSubject:
		return s, nil
	case strings.Contains(s.name, "*"):
		return s, fmt.Errorf("subject %q is a pattern, and names are matched whole; write out each name, or match by another key", shorten(text))
	case s.space == authn.URIName && !strings.Contains(s.name, ":"):
		return s, fmt.Errorf("subject %q is no URI: it has no scheme", shorten(text))
	case s.space == authn.DNSName && !authn.IsDNSName(host):
		return s, fmt.Errorf("subject %q is no host name", shorten(text))
	case s.space == authn.DNSName:
		s.name = host
	}
	return s, nil
}

// credentialsOf reports whether callers of the kinds have tokens, and whether they have certificates; none = any kind.
func credentialsOf(kinds []authn.Kind) (tokens, certificates bool) {
	if len(kinds) == 0 {
		return true, true
	}
	return slices.Contains(kinds, authn.KindUser) || slices.Contains(kinds, authn.KindApplication), slices.Contains(kinds, authn.KindCertificate)
}

// subjects reads whom a rule names.
func (p *parser) subjects(node *yaml.Node, kinds []authn.Kind) []subject {
	var all []subject
	for _, text := range p.texts(node, "subject") {
		s, err := subjectOf(text, kinds)
		if err != nil {
			p.failf(node, "%v", err)
			continue
		}
		all = append(all, s)
	}
	return all
}

// isOne reports whether one of the subjects is the caller.
func isOne(subjects []subject, c *authn.Caller) bool {
	return c.Subject != "" && slices.ContainsFunc(subjects, func(s subject) bool { return s.space == c.Namespace && s.name == c.Subject })
}

// checkSubjects finds subjects that no caller of the rule's kinds can be.
func (p *parser) checkSubjects(node *yaml.Node, r *rule) {
	tokens, certificates := credentialsOf(r.kinds)
	for _, s := range r.subjects {
		if s.space == authn.TokenSubject && !tokens || s.space != authn.TokenSubject && !certificates {
			p.failf(node, "subject %q is a name of the namespace `%s`, which callers of this kind do not have", shorten(s.name), s.space)
		}
	}
}

// AcceptedCredentials are the kinds of credentials that a deployment accepts.
type AcceptedCredentials struct {
	Tokens, Certificates bool
	// Programs says how the issuer of the tokens marks programs.
	Programs authn.Programs
}

// CheckCredentials returns a check that refuses rules which no accepted credential can meet: rules for a kind of caller that the issuer does
// not mark, and for names in certificates or tokens that are not accepted.
func CheckCredentials(accepted AcceptedCredentials) Check {
	return func(p *Policy) error {
		for i := range p.rules {
			if err := p.rules[i].checkCredentials(accepted); err != nil {
				return fmt.Errorf("rule %s: %w", p.rules[i].name, err)
			}
		}
		return nil
	}
}

func (r *rule) checkCredentials(accepted AcceptedCredentials) error {
	for _, kind := range r.kinds {
		if accepted.Tokens && accepted.Programs == authn.ProgramsUnknown && (kind == authn.KindUser || kind == authn.KindApplication) {
			return fmt.Errorf("kind `%s` cannot be told from the tokens of this issuer; say in the settings how it marks the tokens of programs (oidc-programs: %s), "+
				"or match by role, scope, group, subject or application", kind, strings.Join(authn.ProgramsNames(), ", "))
		}
	}
	for _, s := range r.subjects {
		// A name whose namespace is left to its form may be meant for the other one.
		if !s.stated && (s.space == authn.TokenSubject && !accepted.Tokens || s.space != authn.TokenSubject && !accepted.Certificates) {
			other := authn.TokenSubject
			if s.space == authn.TokenSubject {
				other = authn.DNSName
			}
			return fmt.Errorf("subject %q has the form of a name of the namespace `%s`, and no such credential is accepted here; write `%s:` before it if it is another one",
				shorten(s.name), s.space, other)
		}
	}
	return nil
}
