package quality

import (
	"iter"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// maxDevices bounds the names of microphones, and of loudspeakers, of one participant.
const maxDevices = 10

// noPerson stands for the position of an end that names nobody.
const noPerson = -1

// ends are the two people of a session or segment, as positions in people.
type ends struct{ caller, callee int }

var nobody = ends{noPerson, noPerson}

// people are the people of a call, with the tally of their streams.
type people struct {
	list []person
	byID map[string]int // by id in lower case
}

type person struct {
	id              string
	identity        *parleyv1.Identity
	tally           tally
	capture, render []string // names of devices
}

// addParticipant adds a participant; one id is one participant.
func (p *people) addParticipant(id string, set *parleyv1.IdentitySet) {
	var first *parleyv1.Identity
	for identity := range identities(set) {
		if first == nil || same(identity, id) {
			first = identity
		}
	}
	if id == "" {
		id = first.GetId()
	}
	if id != "" || first != nil {
		p.findOrAdd(id, first)
	}
}

// findOrAdd returns the position of an id, which is added if nobody has it. Somebody without an id cannot be found again.
func (p *people) findOrAdd(id string, identity *parleyv1.Identity) int {
	if at := p.find(id); at != noPerson {
		return at
	}
	at := len(p.list)
	p.list = append(p.list, person{id: id, identity: proto.CloneOf(identity)})
	if id != "" {
		p.byID[strings.ToLower(id)] = at
	}
	return at
}

func (p *people) find(id string) int {
	if at, ok := p.byID[strings.ToLower(id)]; ok {
		return at
	}
	return noPerson
}

// endpoint returns the position of the person at an end: a participant with one of the end's ids, or a person who is added because the
// participants lack them; noPerson if the end names nobody.
func (p *people) endpoint(end *parleyv1.CallEndpoint) int {
	var first *parleyv1.Identity
	for identity := range atEnd(end) {
		if identity.GetId() == "" {
			continue
		}
		if at := p.find(identity.GetId()); at != noPerson {
			return at
		}
		if first == nil {
			first = identity
		}
	}
	if first == nil {
		return noPerson
	}
	return p.findOrAdd(first.GetId(), first)
}

// atEnds returns the people at the ends, each once.
func (p *people) atEnds(at ends) []*person {
	var found []*person
	if at.caller != noPerson {
		found = append(found, &p.list[at.caller])
	}
	if at.callee != noPerson && at.callee != at.caller {
		found = append(found, &p.list[at.callee])
	}
	return found
}

// addDevices adds the names of the devices at an end.
func (p *people) addDevices(at int, device *parleyv1.DeviceInfo) {
	if at == noPerson {
		return
	}
	person := &p.list[at]
	person.capture = appendName(person.capture, device.GetCaptureDeviceName())
	person.render = appendName(person.render, device.GetRenderDeviceName())
}

func appendName(names []string, name string) []string {
	if name == "" || len(names) == maxDevices || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// atEnd returns the identities of an end, the newer form first.
func atEnd(end *parleyv1.CallEndpoint) iter.Seq[*parleyv1.Identity] {
	return func(yield func(*parleyv1.Identity) bool) {
		if associated := end.GetAssociatedIdentity(); associated != nil && !yield(associated) {
			return
		}
		for identity := range identities(end.GetIdentity()) {
			if !yield(identity) {
				return
			}
		}
	}
}

// identities returns the identities of a set, its user first. A device is nobody.
func identities(set *parleyv1.IdentitySet) iter.Seq[*parleyv1.Identity] {
	return func(yield func(*parleyv1.Identity) bool) {
		m := set.ProtoReflect()
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			field := fields.Get(i)
			if field.Name() == "device" || !m.Has(field) || field.Kind() != protoreflect.MessageKind {
				continue
			}
			identity, ok := m.Get(field).Message().Interface().(*parleyv1.Identity)
			if ok && !yield(identity) {
				return
			}
		}
	}
}

func same(identity *parleyv1.Identity, id string) bool {
	return id != "" && strings.EqualFold(identity.GetId(), id)
}
