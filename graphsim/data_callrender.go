package graphsim

import (
	"fmt"
	"slices"
	"strconv"
)

// communications is a communicationsIdentitySet as the service sends it, with the undeclared members of live answers.
func (w *world) communications(r ref, upn bool) object {
	o := object{{"user", nil}, {"acsUser", nil}, {"spoolUser", nil}, {"phone", nil}, {"guest", nil}, {"encrypted", nil}, {"onPremises", nil}, {"acsApplicationInstance", nil}, {"spoolApplicationInstance", nil}, {"applicationInstance", nil}, {"application", nil}, {"device", nil}}
	id := object{{"id", w.people.id(r)}, {"displayName", orNull(w.people.name(r))}, {"tenantId", w.people.tenantOf(r)}}
	switch r.kind() {
	case kindPhone:
		o.set("phone", object{{"id", w.people.id(r)}, {"displayName", nil}, {"tenantId", nil}})
	case kindAnonymous, kindPersonal:
		o.set("guest", object{{"id", w.people.id(r)}, {"displayName", orNull(w.people.name(r))}, {"tenantId", nil}})
	default:
		if upn && r.kind() == kindUser {
			id = append(id, field{"userPrincipalName", w.people.upn(r)})
		}
		o.set("user", id)
	}
	return o
}

// callContext writes the @odata.context of a relation inside a record.
func callContext(root, id, relation string) string {
	return root + "/$metadata#communications/callRecords('" + id + "')/" + relation
}

// organizersEnd is when the service stopped to fill the deprecated organizer.
const organizersEnd = int64(1782777600000) // 2026-06-30T00:00:00Z

// renderCall is a callRecord without its sessions and participants.
func (w *world) renderCall(cl *call, v view) object {
	id := w.callID(cl)
	n, made := cl.version(v.now)
	people := w.attendees(cl)
	kind := "groupCall"
	switch {
	case cl.h%10 == 0:
		kind = "unknown"
	case len(people) == 2 && !cl.meeting:
		kind = "peerToPeer"
	}
	var join any
	if cl.meeting {
		join = w.joinURL(cl.chat)
	}
	o := make(object, 0, 12)
	o = append(o, object{
		{"id", id},
		{"version", n},
		{"type", kind},
		{"modalities", modalities(cl.h)},
		{"lastModifiedDateTime", callTime(made, hash2(cl.h, 5))},
		{"startDateTime", callTime(cl.start, cl.h)},
		{"endDateTime", callTime(cl.end, hash2(cl.h, 4)|1)},
		{"joinWebUrl", join},
	}...)
	if v.now < organizersEnd {
		o = append(o, field{"organizer", w.communications(people[0], false)})
	}
	return append(o,
		field{"organizer_v2@odata.context", callContext(v.root, id, "organizer_v2/$entity")},
		field{"organizer_v2", w.renderParticipant(people[0], false)},
	)
}

func modalities(h uint64) []string {
	switch h >> 16 % 4 {
	case 0:
		return []string{"audio", "video"}
	case 1:
		return []string{"audio", "video", "videoBasedScreenSharing"}
	default:
		return []string{"audio"}
	}
}

func (w *world) renderParticipant(r ref, upn bool) object {
	units := list{}
	if r.kind() == kindUser && r.index()%9 == 4 {
		units = list{{{"id", randomGUID(w.seed + 9).String()}}}
	}
	return object{{"id", w.people.id(r)}, {"identity", w.communications(r, upn)}, {"administrativeUnitInfos", units}}
}

func (w *world) participantRows(cl *call) list {
	people := w.attendees(cl)
	out := make(list, len(people))
	for i, r := range people {
		out[i] = w.renderParticipant(r, true)
	}
	return out
}

// sessionCount: one between two people, one per participant with a service in a group.
func (w *world) sessionCount(cl *call) int {
	if n := len(w.attendees(cl)); n > 2 || cl.meeting {
		return n
	}
	return 1
}

// renderSession is one session of a call, with its segments or without.
func (w *world) renderSession(cl *call, i int, segments bool, v view) object {
	people := w.attendees(cl)
	d := dice(hash3(cl.h, tagSegment, uint64(i)))
	caller := people[i]
	callee := object{
		{"@odata.type", "#microsoft.graph.callRecords.serviceEndpoint"},
		{"userAgent", object{
			{"@odata.type", "#microsoft.graph.callRecords.serviceUserAgent"},
			{"headerValue", nil},
			{"applicationVersion", nil},
			{"role", "mediaController"},
		}},
	}
	if w.sessionCount(cl) == 1 {
		callee = w.endpoint(cl, people[1], &d, v)
	}
	start := cl.start + int64(i)*1_700%(1+(cl.end-cl.start)/4)
	startText, endText := callTime(start, cl.h|1), callTime(cl.end, hash2(cl.h, 4)|1)
	o := object{
		{"id", randomGUID(hash3(cl.h, tagSegment, uint64(i))).String()},
		{"modalities", modalities(cl.h)},
		{"startDateTime", startText},
		{"endDateTime", endText},
		{"isTest", false},
		{"failureInfo", nil},
		{"caller", w.endpoint(cl, caller, &d, v)},
		{"callee", callee},
	}
	if d.chance(40) {
		o.set("failureInfo", object{{"reason", "The media path was lost."}, {"stage", "midcall"}})
	}
	if !segments {
		return o
	}
	rows := list{}
	for k := range 1 + d.under(2) {
		rows = append(rows, renderSegment(cl, i, k, o, &d))
	}
	return slices.Concat(o, object{{"segments", rows}})
}

func renderSegment(cl *call, i, k int, session object, d *dice) object {
	stream := object{
		{"streamId", strconv.Itoa(1_000_000_000 + d.under(900_000_000))},
		{"streamDirection", pick(d, []string{"callerToCallee", "calleeToCaller"})},
		{"audioCodec", "satin"},
		{"startDateTime", session.get("startDateTime")},
		{"endDateTime", session.get("endDateTime")},
		{"averageAudioDegradation", nil},
		{"averageJitter", fmt.Sprintf("PT0.%03dS", d.under(60))},
		{"maxJitter", "PT0.088S"},
		{"averagePacketLossRate", float64(d.under(40)) / 1000},
		{"averageRoundTripTime", "PT0.064S"},
		{"packetUtilization", 1000 + d.under(90_000)},
		{"wasMediaBypassed", false},
		{"averageBandwidthEstimate", int64(1_000_000 + d.under(9_000_000))},
	}
	media := object{
		{"label", "main-audio"},
		{"callerNetwork", network(d)},
		{"callerDevice", device(d)},
		{"calleeNetwork", network(d)},
		{"calleeDevice", device(d)},
		{"streams", list{stream}},
	}
	return object{
		{"id", randomGUID(hash4(cl.h, tagSegment, uint64(i), uint64(k+1))).String()},
		{"startDateTime", session.get("startDateTime")},
		{"endDateTime", session.get("endDateTime")},
		{"failureInfo", nil},
		{"caller", session.get("caller")},
		{"callee", session.get("callee")},
		{"media", list{media}},
	}
}

func network(d *dice) object {
	return object{
		{"ipAddress", fmt.Sprintf("10.%d.0.%d", d.under(200), 1+d.under(250))},
		{"subnet", "10.0.0.0"},
		{"linkSpeed", pick(d, []int64{54_000_000, 4_294_967_295, 1_000_000_000})},
		{"connectionType", pick(d, []string{"wifi", "wired", "mobile"})},
		{"port", 1024 + d.under(60_000)},
		{"reflexiveIPAddress", "198.51.100.7"},
		{"wifiBand", "frequency50GHz"},
		{"wifiSignalStrength", -60},
		{"networkTransportProtocol", "udp"},
	}
}

func device(d *dice) object {
	return object{
		{"captureDeviceName", "Default input device"},
		{"renderDeviceName", "Default output device"},
		{"receivedSignalLevel", -10 - d.under(20)},
		{"cpuInsufficentEventRatio", float64(d.under(10)) / 1000},
		{"speakerGlitchRate", 0},
	}
}

func (w *world) endpoint(cl *call, r ref, d *dice, v view) object {
	family := "teams"
	if r.kind() == kindAnonymous && d.chance(300) {
		if family = "unknownFutureValue"; v.unknown {
			family = "azureCommunicationServices"
		}
	}
	agent := object{
		{"@odata.type", "#microsoft.graph.callRecords.clientUserAgent"},
		{"headerValue", "CallSignalingAgent (27/1.4)"},
		{"applicationVersion", "27/1.4"},
		{"platform", pick(d, []string{"windows", "macOS", "android", "iOS", "web"})},
		{"productFamily", family},
	}
	identity := object{{"id", w.people.id(r)}, {"displayName", orNull(w.people.name(r))}, {"tenantId", w.people.tenantOf(r)}}
	if upn := w.people.upn(r); upn != "" {
		identity = append(identity, field{"userPrincipalName", upn})
	}
	o := object{
		{"@odata.type", "#microsoft.graph.callRecords.participantEndpoint"},
		{"name", fmt.Sprintf("host-%d", d.under(90))},
		{"userAgent", agent},
		{"identity", w.communications(r, false)},
		{"associatedIdentity", identity},
		{"cpuName", nil},
		{"cpuCoresCount", 8},
		{"cpuProcessorSpeedInMhz", 2400},
		{"feedback", nil},
	}
	// Ratings reach the record with its second version.
	if n, _ := cl.version(v.now); n > 1 && d.chance(120) {
		o.set("feedback", object{
			{"text", nil},
			{"rating", pick(d, []string{"poor", "good", "excellent"})},
			{"tokens", object{{"NoSound", false}, {"Echo", true}, {"Interruptions", false}}},
		})
	}
	return o
}
