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
	f := repeatFinder{b: record, seed: maphash.MakeSeed()}
	end, err := f.value(jsonscan.Space(record, 0), 0)
	switch {
	case err != nil:
		return nil, err
	case jsonscan.Space(record, end) != len(record):
		return nil, fmt.Errorf("%w: more follows at byte %d", ErrRecord, end)
	case record[jsonscan.Space(record, 0)] != '{':
		return nil, fmt.Errorf("%w but another JSON value", ErrRecord)
	}
	return f.rest(), nil
}

// repeatFinder finds the members of a record that are repeated.
type repeatFinder struct {
	b       []byte
	seed    maphash.Seed
	members []namedMember // of all objects that are open
	drop    []span
}

// namedMember is a member of an object, with the comma after it.
type namedMember struct {
	hash, from, to uint32
	again          bool // its name comes again
}

// value reads the value at i.
func (f *repeatFinder) value(i, depth int) (end int, err error) {
	if i >= len(f.b) {
		return i, f.malformed(i)
	}
	switch f.b[i] {
	case '{', '[':
		if depth == MaxDepth {
			return i, fmt.Errorf("%w: more than %d levels at byte %d", ErrDepth, MaxDepth, i)
		}
		if f.b[i] == '{' {
			return f.object(i, depth+1)
		}
		return f.list(i, depth+1)
	default:
		end, ok := jsonscan.Skip(f.b, i, depth)
		if !ok {
			return end, f.malformed(end)
		}
		return end, nil
	}
}

func (f *repeatFinder) object(i, depth int) (end int, err error) {
	i = jsonscan.Space(f.b, i+1)
	if i < len(f.b) && f.b[i] == '}' {
		return i + 1, nil
	}
	first := len(f.members)
	for {
		m := namedMember{from: uint32(i)}
		name, value, ok := memberName(f.b, i)
		if !ok {
			return value, f.malformed(value)
		}
		hash := maphash.Bytes(f.seed, name)
		m.hash = uint32(hash ^ hash>>32)
		if i, err = f.value(value, depth); err != nil {
			return i, err
		}
		var more bool
		if i, more, ok = jsonscan.Next(f.b, i, '}'); !ok {
			return i, f.malformed(i)
		}
		m.to = uint32(i)
		if len(f.members) == cap(f.members) {
			f.makeRoom(first)
		}
		f.members = append(f.members, m)
		if !more {
			f.dropRepeats(first)
			f.members = f.members[:first]
			return i, nil
		}
	}
}

func (f *repeatFinder) list(i, depth int) (end int, err error) {
	i = jsonscan.Space(f.b, i+1)
	if i < len(f.b) && f.b[i] == ']' {
		return i + 1, nil
	}
	for more := true; more; {
		if i, err = f.value(i, depth); err != nil {
			return i, err
		}
		var ok bool
		if i, more, ok = jsonscan.Next(f.b, i, ']'); !ok {
			return i, f.malformed(i)
		}
	}
	return i, nil
}

// makeRoom forgets the members from first on whose names have come again, and makes room for twice as many where few have.
func (f *repeatFinder) makeRoom(first int) {
	f.dropRepeats(first)
	if n := len(f.members); n >= cap(f.members)/2 {
		f.members = slices.Grow(f.members, max(n, fewNames))
	}
}

// dropRepeats drops all members of an object whose names come again. Its members stand from first on.
func (f *repeatFinder) dropRepeats(first int) {
	members := f.members[first:]
	slices.SortFunc(members, func(a, b namedMember) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.from, b.from))
	})
	for i := range members {
		m := &members[i]
		for _, later := range members[i+1:] {
			if later.hash != m.hash {
				break
			}
			if bytes.Equal(f.name(*m), f.name(later)) {
				m.again = true
				break
			}
		}
	}
	slices.SortFunc(members, func(a, b namedMember) int { return cmp.Compare(a.from, b.from) })
	f.members = f.members[:first]
	for _, m := range members {
		if m.again {
			f.dropMember(m)
		} else {
			f.members = append(f.members, m)
		}
	}
}

func (f *repeatFinder) name(m namedMember) []byte {
	name, _, _ := memberName(f.b, int(m.from)) // it was read before
	return name
}

func (f *repeatFinder) dropMember(m namedMember) {
	if n := len(f.drop); n > 0 && f.drop[n-1].to == int(m.from) {
		f.drop[n-1].to = int(m.to)
		return
	}
	f.drop = append(f.drop, span{int(m.from), int(m.to)})
}

// rest is the record without the members that are dropped. Some of them are inside of others.
func (f *repeatFinder) rest() []byte {
	slices.SortFunc(f.drop, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := make([]byte, 0, len(f.b))
	at := 0
	for _, gone := range f.drop {
		if gone.from >= at {
			out = append(out, f.b[at:gone.from]...)
		}
		at = max(at, gone.to)
	}
	return append(out, f.b[at:]...)
}

// malformed is the error of a record that ends or is wrong near a position. It quotes nothing of the record.
func (f *repeatFinder) malformed(at int) error {
	if at >= len(f.b) {
		return fmt.Errorf("%w: it ends at byte %d", ErrRecord, len(f.b))
	}
	return fmt.Errorf("%w: invalid JSON at byte %d", ErrRecord, at)
}
