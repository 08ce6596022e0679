package authz

import (
	"github.com/parley-gateway/parley/server/reload"
)

// PolicySource gives the policy in force.
type PolicySource interface {
	Current() *Policy
}

// Store is a policy that follows its files; a change that is not valid leaves the old one in force.
type Store struct {
	value *reload.Value[*Policy]
}

var _ PolicySource = (*Store)(nil)

// Open reads a policy file. Aliases are the tenants of the deployment; the checks are made at each change as well.
func Open(path string, aliases []string, opts reload.Options, checks ...Check) (*Store, error) {
	value, err := reload.New(func(read reload.ReadFunc) (*Policy, error) { return Parse(path, aliases, read, checks...) }, opts)
	if err != nil {
		return nil, err
	}
	return &Store{value}, nil
}

// Current returns the policy in force.
func (s *Store) Current() *Policy { return s.value.Get() }

// Fixed is a policy that never changes.
type Fixed struct{ Policy *Policy }

var _ PolicySource = Fixed{}

// Current returns the policy.
func (f Fixed) Current() *Policy { return f.Policy }
