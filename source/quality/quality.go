package quality

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Of sums up how the line of a call was. The call must have all its participants, sessions and segments.
func Of(call *parleyv1.CallDetail) *parleyv1.CallQuality {
	r := reading{people: people{byID: map[string]int{}}}
	for _, participant := range call.GetParticipants() {
		r.people.invite(participant.GetId(), participant.GetIdentity())
	}
	for _, set := range call.GetLegacyParticipants() {
		r.people.invite("", set)
	}
	for _, session := range call.GetSessions() {
		at := r.attend(legOfSession(session), nobody)
		for _, segment := range session.GetSegments() {
			r.hear(r.attend(legOfSegment(segment), at), session, segment)
		}
	}
	q := &parleyv1.CallQuality{Overall: r.all.quality(between(call.GetStartTime(), call.GetEndTime()))}
	for i := range r.people.list {
		p := &r.people.list[i]
		q.Participants = append(q.Participants, &parleyv1.ParticipantQuality{
			ParticipantId: p.id, Identity: p.identity, Quality: p.tally.quality(p.tally.present()),
			CaptureDeviceNames: p.capture, RenderDeviceNames: p.render,
		})
	}
	return q
}

// reading is a record that is being summed up.
type reading struct {
	people people
	all    tally // of the call
}

// leg is a session or a segment: its two ends, and its time.
type leg struct {
	caller, callee *parleyv1.CallEndpoint
	start, end     *timestamppb.Timestamp
}

func legOfSession(s *parleyv1.CallSession) leg {
	return leg{s.GetCaller(), s.GetCallee(), s.GetStartTime(), s.GetEndTime()}
}

func legOfSegment(s *parleyv1.CallSegment) leg {
	return leg{s.GetCaller(), s.GetCallee(), s.GetStartTime(), s.GetEndTime()}
}

// attend takes the times and ratings of the people at the ends of a leg, and returns who they are; if it names nobody, the leg is that of
// the people around it.
func (r *reading) attend(of leg, around ends) ends {
	at := ends{r.people.at(of.caller), r.people.at(of.callee)}
	r.rate(at.caller, of.caller.GetFeedback())
	r.rate(at.callee, of.callee.GetFeedback())
	if at == nobody {
		at = around
	}
	for _, person := range r.people.among(at) {
		person.tally.stay(of.start, of.end)
	}
	return at
}

// rate takes what was said at an end. What nobody known said counts for the call alone.
func (r *reading) rate(at int, feedback *parleyv1.UserFeedback) {
	r.all.rate(feedback)
	if at != missing {
		r.people.list[at].tally.rate(feedback)
	}
}

// hear takes the sound of a segment, for the people at its ends.
func (r *reading) hear(at ends, session *parleyv1.CallSession, segment *parleyv1.CallSegment) {
	people := r.people.among(at)
	for _, media := range segment.GetMedia() {
		sound := false
		for _, of := range media.GetStreams() {
			if !isSound(media.GetLabel(), of) {
				continue
			}
			sound = true
			s := stream{session, segment, of}
			r.all.add(s)
			for _, person := range people {
				person.tally.add(s)
			}
		}
		if sound {
			r.people.use(at.caller, media.GetCallerDevice())
			r.people.use(at.callee, media.GetCalleeDevice())
		}
	}
}
