package quality

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Of sums up how the line of a call was. The call must have all its participants, sessions and segments.
func Of(call *parleyv1.CallDetail) *parleyv1.CallQuality {
	r := callTally{people: people{byID: map[string]int{}}}
	for _, participant := range call.GetParticipants() {
		r.people.addParticipant(participant.GetId(), participant.GetIdentity())
	}
	for _, set := range call.GetLegacyParticipants() {
		r.people.addParticipant("", set)
	}
	for _, session := range call.GetSessions() {
		at := r.addLeg(legOfSession(session), nobody)
		for _, segment := range session.GetSegments() {
			r.addStreams(r.addLeg(legOfSegment(segment), at), session, segment)
		}
	}
	q := &parleyv1.CallQuality{Overall: r.all.quality(between(call.GetStartTime(), call.GetEndTime()))}
	for i := range r.people.list {
		p := &r.people.list[i]
		q.Participants = append(q.Participants, &parleyv1.ParticipantQuality{
			ParticipantId: p.id, Identity: p.identity, Quality: p.tally.quality(p.tally.timePresent()),
			CaptureDeviceNames: p.capture, RenderDeviceNames: p.render,
		})
	}
	return q
}

// callTally sums up a call: the tally of each person in it, and that of all streams.
type callTally struct {
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

// addLeg adds the times and ratings of the people at the ends of a leg, and returns these ends. For a segment that names nobody they are
// around, the ends of its session.
func (r *callTally) addLeg(of leg, around ends) ends {
	at := ends{r.people.endpoint(of.caller), r.people.endpoint(of.callee)}
	r.addRating(at.caller, of.caller.GetFeedback())
	r.addRating(at.callee, of.callee.GetFeedback())
	if at == nobody {
		at = around
	}
	for _, person := range r.people.atEnds(at) {
		person.tally.addTime(of.start, of.end)
	}
	return at
}

// addRating adds the rating from an end. The rating of somebody unknown counts for the call alone.
func (r *callTally) addRating(at int, feedback *parleyv1.UserFeedback) {
	r.all.addRating(feedback)
	if at != noPerson {
		r.people.list[at].tally.addRating(feedback)
	}
}

// addStreams adds the audio streams of a segment, for the call and for the people at its ends.
func (r *callTally) addStreams(at ends, session *parleyv1.CallSession, segment *parleyv1.CallSegment) {
	people := r.people.atEnds(at)
	for _, media := range segment.GetMedia() {
		audio := false
		for _, of := range media.GetStreams() {
			if !isAudio(media.GetLabel(), of) {
				continue
			}
			audio = true
			s := stream{session, segment, of}
			r.all.add(s)
			for _, person := range people {
				person.tally.add(s)
			}
		}
		if audio {
			r.people.addDevices(at.caller, media.GetCallerDevice())
			r.people.addDevices(at.callee, media.GetCalleeDevice())
		}
	}
}
