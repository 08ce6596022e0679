package data

import (
	"fmt"
	"slices"
	"strconv"
)

// identityWithUPN says whether an identity of a user has the user principal name, which the list of participants alone has.
type identityWithUPN bool

const (
	withUPN    identityWithUPN = true
	withoutUPN identityWithUPN = false
)

// communications is a communicationsIdentitySet as the service sends it, with the undeclared members of live answers.
func (w *World) communications(r Ref, upn identityWithUPN) Object {
	o := Object{{"user", nil}, {"acsUser", nil}, {"spoolUser", nil}, {"phone", nil}, {"guest", nil}, {"encrypted", nil}, {"onPremises", nil}, {"acsApplicationInstance", nil}, {"spoolApplicationInstance", nil}, {"applicationInstance", nil}, {"application", nil}, {"device", nil}}
	id := Object{{"id", w.People.ID(r)}, {"displayName", orNull(w.People.Name(r))}, {"tenantId", w.People.tenantOf(r)}}
	switch r.Kind() {
	case kindPhone:
		o.Set("phone", Object{{"id", w.People.ID(r)}, {"displayName", nil}, {"tenantId", nil}})
	case kindAnonymous, kindPersonal:
		o.Set("guest", Object{{"id", w.People.ID(r)}, {"displayName", orNull(w.People.Name(r))}, {"tenantId", nil}})
	default:
		if upn == withUPN && r.Kind() == kindUser {
			id = append(id, Field{"userPrincipalName", w.People.UPN(r)})
		}
		o.Set("user", id)
	}
	return o
}

// CallContext writes the @odata.context of a relation inside a record.
func CallContext(root, id, relation string) string {
	return root + "/$metadata#communications/callRecords('" + id + "')/" + relation
}

// organizersEnd is when the service stopped to fill the deprecated organizer.
const organizersEnd = int64(1782777600000) // 2026-06-30T00:00:00Z

// RenderCall is a callRecord without its sessions and participants.
func (w *World) RenderCall(cl *Call, v View) Object {
	id := w.CallID(cl)
	n, made := cl.Version(v.Now)
	people := w.Attendees(cl)
	kind := "groupCall"
	switch {
	case cl.h%10 == 0:
		kind = "unknown"
	case len(people) == 2 && !cl.Meeting:
		kind = "peerToPeer"
	}
	var join any
	if cl.Meeting {
		join = w.joinURL(cl.Chat)
	}
	o := make(Object, 0, 12)
	o = append(o, Object{
		{"id", id},
		{"version", n},
		{"type", kind},
		{"modalities", modalities(cl.h)},
		{"lastModifiedDateTime", callTime(made, hash2(cl.h, 5))},
		{"startDateTime", callTime(cl.start, cl.h)},
		{"endDateTime", callTime(cl.end, hash2(cl.h, 4)|1)},
		{"joinWebUrl", join},
	}...)
	if v.Now < organizersEnd {
		o = append(o, Field{"organizer", w.communications(people[0], withoutUPN)})
	}
	return append(o,
		Field{"organizer_v2@odata.context", CallContext(v.Root, id, "organizer_v2/$entity")},
		Field{"organizer_v2", w.RenderOrganizer(cl)},
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

// RenderOrganizer returns the organizer of a call as a participant.
func (w *World) RenderOrganizer(cl *Call) Object {
	return w.participant(w.Attendees(cl)[0], withoutUPN)
}

// participant returns a participant of a call.
func (w *World) participant(r Ref, upn identityWithUPN) Object {
	units := List{}
	if r.Kind() == kindUser && r.Index()%9 == 4 {
		units = List{{{"id", RandomGUID(w.Seed + 9).String()}}}
	}
	return Object{{"id", w.People.ID(r)}, {"identity", w.communications(r, upn)}, {"administrativeUnitInfos", units}}
}

// ParticipantRows are the participants of a call, the organizer first.
func (w *World) ParticipantRows(cl *Call) List {
	people := w.Attendees(cl)
	out := make(List, len(people))
	for i, r := range people {
		out[i] = w.participant(r, withUPN)
	}
	return out
}

// SessionCount returns the number of sessions of a call: one between two people, one per participant with a service in a group.
func (w *World) SessionCount(cl *Call) int {
	if n := len(w.Attendees(cl)); n > 2 || cl.Meeting {
		return n
	}
	return 1
}

// Segments says whether a session has its segments.
type Segments bool

// The values of Segments.
const (
	WithSegments    Segments = true
	WithoutSegments Segments = false
)

// RenderSession is one session of a call.
func (w *World) RenderSession(cl *Call, i int, segments Segments, v View) Object {
	people := w.Attendees(cl)
	d := Dice(Hash3(cl.h, tagSegment, uint64(i)))
	caller := people[i]
	callee := Object{
		{"@odata.type", "#microsoft.graph.callRecords.serviceEndpoint"},
		{"userAgent", Object{
			{"@odata.type", "#microsoft.graph.callRecords.serviceUserAgent"},
			{"headerValue", nil},
			{"applicationVersion", nil},
			{"role", "mediaController"},
		}},
	}
	if w.SessionCount(cl) == 1 {
		callee = w.endpoint(cl, people[1], &d, v)
	}
	start := cl.start + int64(i)*1_700%(1+(cl.end-cl.start)/4)
	startText, endText := callTime(start, cl.h|1), callTime(cl.end, hash2(cl.h, 4)|1)
	o := Object{
		{"id", RandomGUID(Hash3(cl.h, tagSegment, uint64(i))).String()},
		{"modalities", modalities(cl.h)},
		{"startDateTime", startText},
		{"endDateTime", endText},
		{"isTest", false},
		{"failureInfo", nil},
		{"caller", w.endpoint(cl, caller, &d, v)},
		{"callee", callee},
	}
	if d.Chance(40) {
		o.Set("failureInfo", Object{{"reason", "The media path was lost."}, {"stage", "midcall"}})
	}
	if segments == WithoutSegments {
		return o
	}
	rows := List{}
	for k := range 1 + d.Under(2) {
		rows = append(rows, renderSegment(cl, i, k, o, &d))
	}
	return slices.Concat(o, Object{{"segments", rows}})
}

// line is how well a call went.
type line uint8

const (
	lineGood line = iota
	linePoor
	lineShort  // too few packets to judge
	lineSilent // without media
)

// line returns how well a call went: most go well.
func (cl *Call) line() line {
	switch hash2(cl.h, tagSegment) % 10 {
	case 0, 1:
		return linePoor
	case 2:
		return lineShort
	case 3:
		return lineSilent
	default:
		return lineGood
	}
}

// audio returns the mean jitter in milliseconds and the number of packets of a stream. It draws as many dice for every line.
func (cl *Call) audio(d *Dice) (jitter, packets int) {
	jitter, packets = d.Under(30), d.Under(90_000)
	switch cl.line() {
	case linePoor:
		jitter += 31
	case lineShort:
		return jitter, packets % 400
	default:
	}
	return jitter, packets + 1000
}

func renderSegment(cl *Call, i, k int, session Object, d *Dice) Object {
	jitter, packets := cl.audio(d)
	stream := Object{
		{"streamId", strconv.Itoa(1_000_000_000 + d.Under(900_000_000))},
		{"streamDirection", pick(d, []string{"callerToCallee", "calleeToCaller"})},
		{"audioCodec", "satin"},
		{"startDateTime", session.get("startDateTime")},
		{"endDateTime", session.get("endDateTime")},
		{"averageAudioDegradation", nil},
		{"averageJitter", fmt.Sprintf("PT0.%03dS", jitter)},
		{"maxJitter", "PT0.088S"},
		{"averagePacketLossRate", float64(d.Under(40)) / 1000},
		{"averageRoundTripTime", "PT0.064S"},
		{"packetUtilization", packets},
		{"wasMediaBypassed", false},
		{"averageBandwidthEstimate", int64(1_000_000 + d.Under(9_000_000))},
	}
	media := Object{
		{"label", "main-audio"},
		{"callerNetwork", network(d)},
		{"callerDevice", device(d)},
		{"calleeNetwork", network(d)},
		{"calleeDevice", device(d)},
		{"streams", List{stream}},
	}
	all := List{media}
	if cl.line() == lineSilent {
		all = List{}
	}
	return Object{
		{"id", RandomGUID(Hash4(cl.h, tagSegment, uint64(i), uint64(k+1))).String()},
		{"startDateTime", session.get("startDateTime")},
		{"endDateTime", session.get("endDateTime")},
		{"failureInfo", nil},
		{"caller", session.get("caller")},
		{"callee", session.get("callee")},
		{"media", all},
	}
}

func network(d *Dice) Object {
	return Object{
		{"ipAddress", fmt.Sprintf("10.%d.0.%d", d.Under(200), 1+d.Under(250))},
		{"subnet", "10.0.0.0"},
		{"linkSpeed", pick(d, []int64{54_000_000, 4_294_967_295, 1_000_000_000})},
		{"connectionType", pick(d, []string{"wifi", "wired", "mobile"})},
		{"port", 1024 + d.Under(60_000)},
		{"reflexiveIPAddress", "198.51.100.7"},
		{"wifiBand", "frequency50GHz"},
		{"wifiSignalStrength", -60},
		{"networkTransportProtocol", "udp"},
	}
}

func device(d *Dice) Object {
	return Object{
		{"captureDeviceName", "Default input device"},
		{"renderDeviceName", "Default output device"},
		{"receivedSignalLevel", -10 - d.Under(20)},
		{"cpuInsufficentEventRatio", float64(d.Under(10)) / 1000},
		{"speakerGlitchRate", 0},
	}
}

func (w *World) endpoint(cl *Call, r Ref, d *Dice, v View) Object {
	family := "teams"
	if r.Kind() == kindAnonymous && d.Chance(300) {
		if family = "unknownFutureValue"; v.Unknown {
			family = "azureCommunicationServices"
		}
	}
	agent := Object{
		{"@odata.type", "#microsoft.graph.callRecords.clientUserAgent"},
		{"headerValue", "CallSignalingAgent (27/1.4)"},
		{"applicationVersion", "27/1.4"},
		{"platform", pick(d, []string{"windows", "macOS", "android", "iOS", "web"})},
		{"productFamily", family},
	}
	identity := Object{{"id", w.People.ID(r)}, {"displayName", orNull(w.People.Name(r))}, {"tenantId", w.People.tenantOf(r)}}
	if upn := w.People.UPN(r); upn != "" {
		identity = append(identity, Field{"userPrincipalName", upn})
	}
	o := Object{
		{"@odata.type", "#microsoft.graph.callRecords.participantEndpoint"},
		{"name", fmt.Sprintf("host-%d", d.Under(90))},
		{"userAgent", agent},
		{"identity", w.communications(r, withoutUPN)},
		{"associatedIdentity", identity},
		{"cpuName", nil},
		{"cpuCoresCount", 8},
		{"cpuProcessorSpeedInMhz", 2400},
		{"feedback", nil},
	}
	// Ratings reach the record with its second version.
	if n, _ := cl.Version(v.Now); n > 1 && d.Chance(120) {
		o.Set("feedback", Object{
			{"text", nil},
			{"rating", pick(d, []string{"poor", "good", "excellent"})},
			{"tokens", Object{{"NoSound", false}, {"Echo", true}, {"Interruptions", false}}},
		})
	}
	return o
}
