package source

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/summary"
)

// fillSummary adds the summary of a note of Teams or of a call record; thread is the id of its conversation.
func fillSummary(d *graphmap.Draft, thread string) {
	var line *parleyv1.EventSummary
	switch parleyv1.EventKind(d.Number(d.Child(eventRoot, eventwire.EventKind))) {
	case parleyv1.EventKind_EVENT_KIND_SYSTEM:
		note := &parleyv1.SystemDetail{}
		if proto.Unmarshal(d.Message(d.Child(eventRoot, eventwire.EventSystem)), note) == nil {
			line = summary.Note(note, thread)
		}
	case parleyv1.EventKind_EVENT_KIND_CALL:
		start, _ := d.Time(d.Child(eventDetail, eventwire.CallDetailStartTime))
		end, _ := d.Time(d.Child(eventDetail, eventwire.CallDetailEndTime))
		line = summary.Call(start, end, peopleOf(d))
	default:
	}
	if line == nil {
		return
	}
	// The message has no map, so that its bytes are the same each time.
	if encoded, err := (proto.MarshalOptions{Deterministic: true}).Marshal(line); err == nil {
		d.AddText(eventRoot, eventwire.EventSummary, encoded)
	}
}

// Graph's limit of the older list of participants: a list of this length may be truncated.
const legacyParticipantsLimit = 130

// peopleOf counts the people of a call record; -1 where the record does not tell: records in lists have no participants.
func peopleOf(d *graphmap.Draft) int {
	people := 0
	if first := d.Child(eventDetail, eventwire.CallDetailParticipants); first != graphmap.NoNode {
		for at := first; at != graphmap.NoNode; at = d.Sibling(at) {
			if isPerson(d, d.Child(at, eventwire.CallParticipantIdentity)) {
				people++
			}
		}
		return people
	}
	total := 0
	for at := d.Child(eventDetail, eventwire.CallDetailLegacyParticipants); at != graphmap.NoNode; at = d.Sibling(at) {
		total++
		if isPerson(d, at) {
			people++
		}
	}
	if total == 0 || total >= legacyParticipantsLimit {
		return -1
	}
	return people
}

// applications are the members of a participant's identity set that stand for no person.
var applications = []protowire.Number{
	eventwire.IdentitySetApplication, eventwire.IdentitySetApplicationInstance, eventwire.IdentitySetAcsApplicationInstance,
	eventwire.IdentitySetSpoolApplicationInstance,
}

// isPerson reports whether a participant is no application.
func isPerson(d *graphmap.Draft, identity graphmap.Node) bool {
	if identity == graphmap.NoNode {
		return false
	}
	if d.Child(identity, eventwire.IdentitySetUser) != graphmap.NoNode {
		return true
	}
	for _, number := range applications {
		if d.Child(identity, number) != graphmap.NoNode {
			return false
		}
	}
	return true
}
