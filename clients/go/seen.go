package parleyclient

import "container/list"

// seen remembers the versions of the uids that arrived last.
type seen struct {
	size   int
	byUID  map[string]*list.Element
	recent *list.List // of arrival, the last one in front
}

type arrival struct {
	uid     string
	version int64
}

func newSeen(size int) seen {
	return seen{size: size, byUID: map[string]*list.Element{}, recent: list.New()}
}

// add notes an arrival, and reports whether its uid is unknown or known with a lower version only.
func (s *seen) add(uid string, version int64) bool {
	if s.size == 0 {
		return true
	}
	if element := s.byUID[uid]; element != nil {
		s.recent.MoveToFront(element)
		known, _ := element.Value.(*arrival)
		if version <= known.version {
			return false
		}
		known.version = version
		return true
	}
	if s.recent.Len() == s.size {
		if oldest, ok := s.recent.Remove(s.recent.Back()).(*arrival); ok {
			delete(s.byUID, oldest.uid)
		}
	}
	s.byUID[uid] = s.recent.PushFront(&arrival{uid: uid, version: version})
	return true
}
