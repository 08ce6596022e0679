package graphmap

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// fewNames is the number of names up to which comparing them all beats a set.
const fewNames = 16

// nameSet finds the names that one object repeats. Its zero value is empty.
type nameSet struct {
	few  [fewNames]uint64 // hashes
	n    int
	many map[uint64]struct{} // once there are more than a few
}

// add adds the hash of a name and reports whether it is new.
func (s *nameSet) add(hash uint64) bool {
	if s.n < fewNames {
		if slices.Contains(s.few[:s.n], hash) {
			return false
		}
		s.few[s.n] = hash
		s.n++
		return true
	}
	if s.many == nil {
		s.many = make(map[uint64]struct{}, 4*fewNames)
		for _, other := range s.few {
			s.many[other] = struct{}{}
		}
	}
	before := len(s.many)
	s.many[hash] = struct{}{}
	return len(s.many) > before
}

// withoutRepeats returns a record without the members whose names come again in the same object. Escapes in names do not count.
// Errors are ErrRecord and ErrDepth.
func withoutRepeats(record []byte) ([]byte, error) {
	u := repeatFinder{b: record, seed: maphash.MakeSeed()}
	end, err := u.value(jsonscan.Space(record, 0), 0)
	switch {
	case err != nil:
		return nil, err
	case jsonscan.Space(record, end) != len(record):
		return nil, fmt.Errorf("%w: more follows at byte %d", ErrRecord, end)
	case record[jsonscan.Space(record, 0)] != '{':
		return nil, fmt.Errorf("%w but another JSON value", ErrRecord)
	}
	return u.rest(), nil
}

// repeatFinder finds the members of a record that are repeated.
type repeatFinder struct {
	b       []byte
	seed    maphash.Seed
	members []repeatedMember // of all objects that are open
	drop    []span
}

// repeatedMember is a member of an object, with the comma behind it.
type repeatedMember struct {
	hash, from, to uint32
	again          bool // its name comes again
}

// value reads the value at i.
func (u *repeatFinder) value(i, depth int) (end int, err error) {
	if i >= len(u.b) {
		return i, u.malformed(i)
	}
	switch u.b[i] {
	case '{', '[':
		if depth == MaxDepth {
			return i, fmt.Errorf("%w: more than %d levels at byte %d", ErrDepth, MaxDepth, i)
		}
		if u.b[i] == '{' {
			return u.object(i, depth+1)
		}
		return u.list(i, depth+1)
	default:
		end, ok := jsonscan.Skip(u.b, i, depth)
		if !ok {
			return end, u.malformed(end)
		}
		return end, nil
	}
}

func (u *repeatFinder) object(i, depth int) (end int, err error) {
	i = jsonscan.Space(u.b, i+1)
	if i < len(u.b) && u.b[i] == '}' {
		return i + 1, nil
	}
	first := len(u.members)
	for {
		m := repeatedMember{from: uint32(i)}
		name, value, ok := memberName(u.b, i)
		if !ok {
			return value, u.malformed(value)
		}
		hash := maphash.Bytes(u.seed, name)
		m.hash = uint32(hash ^ hash>>32)
		if i, err = u.value(value, depth); err != nil {
			return i, err
		}
		var more bool
		if i, more, ok = jsonscan.Next(u.b, i, '}'); !ok {
			return i, u.malformed(i)
		}
		m.to = uint32(i)
		if len(u.members) == cap(u.members) {
			u.makeRoom(first)
		}
		u.members = append(u.members, m)
		if !more {
			u.dropRepeats(first)
			u.members = u.members[:first]
			return i, nil
		}
	}
}

func (u *repeatFinder) list(i, depth int) (end int, err error) {
	i = jsonscan.Space(u.b, i+1)
	if i < len(u.b) && u.b[i] == ']' {
		return i + 1, nil
	}
	for more := true; more; {
		if i, err = u.value(i, depth); err != nil {
			return i, err
		}
		var ok bool
		if i, more, ok = jsonscan.Next(u.b, i, ']'); !ok {
			return i, u.malformed(i)
		}
	}
	return i, nil
}

// makeRoom forgets the members from first on whose names have come again, and makes room for twice as many where few have.
func (u *repeatFinder) makeRoom(first int) {
	u.dropRepeats(first)
	if n := len(u.members); n >= cap(u.members)/2 {
		u.members = slices.Grow(u.members, max(n, fewNames))
	}
}

// dropRepeats drops all members of an object whose names come again. Its members stand from first on.
func (u *repeatFinder) dropRepeats(first int) {
	members := u.members[first:]
	slices.SortFunc(members, func(a, b repeatedMember) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.from, b.from))
	})
	for i := range members {
		m := &members[i]
		for _, later := range members[i+1:] {
			if later.hash != m.hash {
				break
			}
			if bytes.Equal(u.name(*m), u.name(later)) {
				m.again = true
				break
			}
		}
	}
	slices.SortFunc(members, func(a, b repeatedMember) int { return cmp.Compare(a.from, b.from) })
	u.members = u.members[:first]
	for _, m := range members {
		if m.again {
			u.dropMember(m)
		} else {
			u.members = append(u.members, m)
		}
	}
}

func (u *repeatFinder) name(m repeatedMember) []byte {
	name, _, _ := memberName(u.b, int(m.from)) // it was read before
	return name
}

func (u *repeatFinder) dropMember(m repeatedMember) {
	if n := len(u.drop); n > 0 && u.drop[n-1].to == int(m.from) {
		u.drop[n-1].to = int(m.to)
		return
	}
	u.drop = append(u.drop, span{int(m.from), int(m.to)})
}

// rest is the record without the members that are dropped. Some of them are inside of others.
func (u *repeatFinder) rest() []byte {
	slices.SortFunc(u.drop, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := make([]byte, 0, len(u.b))
	at := 0
	for _, gone := range u.drop {
		if gone.from >= at {
			out = append(out, u.b[at:gone.from]...)
		}
		at = max(at, gone.to)
	}
	return append(out, u.b[at:]...)
}

// malformed is the error of a record that ends or is wrong near a position. It quotes nothing of the record.
func (u *repeatFinder) malformed(at int) error {
	if at >= len(u.b) {
		return fmt.Errorf("%w: it ends at byte %d", ErrRecord, len(u.b))
	}
	return fmt.Errorf("%w: invalid JSON at byte %d", ErrRecord, at)
}
