package quality_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/quality"
)

// callOf maps a record of Graph.
func callOf(t *testing.T, record string) *parleyv1.CallDetail {
	t.Helper()
	table, err := graphmap.New()
	if err != nil {
		t.Fatal(err)
	}
	event, err := table.Event(graphmap.RootCallRecord, []byte(record))
	if err != nil {
		t.Fatal(err)
	}
	return event.GetCall()
}

// oneMedia is a call with one media, of nobody.
func oneMedia(label, streams string) string {
	return fmt.Sprintf(`{"sessions":[{"id":"s","segments":[{"id":"g","media":[{"label":%q,"streams":[%s]}]}]}]}`, label, streams)
}

// TestAStreamIsClassifiedByItsFigures holds at which figures a stream is good, poor or not judged.
func TestAStreamIsClassifiedByItsFigures(t *testing.T) {
	t.Parallel()
	const audio, none = "main-audio", ""
	passed := func(threshold string) string {
		return `"passedThresholds":[{"threshold":"QUALITY_THRESHOLD_` + threshold + `","sessionId":"s","segmentId":"g","streamId":"1"}],"poorStreams":1,`
	}
	for _, tc := range []struct{ name, label, stream, class, want string }{
		{"all good", audio, `"packetUtilization":501,"averageJitter":"PT0.01S","averagePacketLossRate":0,"averageRoundTripTime":"PT0.06S"`, "GOOD", `"goodStreams":1,"worstJitter":"0.010s","worstPacketLossRate":0,"worstRoundTripTime":"0.060s"`},
		{"too few packets", audio, `"packetUtilization":500,"averageJitter":"PT9S"`, "UNCLASSIFIED", `"unclassifiedStreams":1,"worstJitter":"9s"`},
		{"no number of packets", audio, `"packetUtilization":null,"averageJitter":"PT0.01S"`, "UNCLASSIFIED", `"unclassifiedStreams":1,"worstJitter":"0.010s"`},
		{"a negative number of packets", audio, `"packetUtilization":-1,"averageJitter":"PT0.01S"`, "UNCLASSIFIED", `"unclassifiedStreams":1,"worstJitter":"0.010s"`},
		{"no figure", audio, `"packetUtilization":9000,"averageJitter":null`, "UNCLASSIFIED", `"unclassifiedStreams":1`},
		{"figures that are none", audio, `"packetUtilization":9000,"averageJitter":"-PT1S","averagePacketLossRate":"NaN","averageRoundTripTime":"soon"`, "UNCLASSIFIED", `"unclassifiedStreams":1`},
		{"negative loss", audio, `"packetUtilization":9000,"averagePacketLossRate":-1`, "UNCLASSIFIED", `"unclassifiedStreams":1`},
		{"endless loss", audio, `"packetUtilization":9000,"averagePacketLossRate":"INF"`, "UNCLASSIFIED", `"unclassifiedStreams":1`},
		{"one figure is enough", audio, `"packetUtilization":9000,"averageRoundTripTime":"PT0S"`, "GOOD", `"goodStreams":1,"worstRoundTripTime":"0s"`},
		{"jitter at its limit", audio, `"packetUtilization":9000,"averageJitter":"PT0.03S"`, "GOOD", `"goodStreams":1,"worstJitter":"0.030s"`},
		{"jitter beyond", audio, `"packetUtilization":9000,"averageJitter":"PT0.030000001S"`, "POOR", passed("JITTER") + `"worstJitter":"0.030000001s"`},
		{"jitter in minutes", audio, `"packetUtilization":9000,"averageJitter":"PT1M"`, "POOR", passed("JITTER") + `"worstJitter":"60s"`},
		{"loss at its limit", audio, `"packetUtilization":9000,"averagePacketLossRate":0.1`, "GOOD", `"goodStreams":1,"worstPacketLossRate":0.1`},
		{"loss at its limit as text", audio, `"packetUtilization":"9000","averagePacketLossRate":"0.1"`, "GOOD", `"goodStreams":1,"worstPacketLossRate":0.1`},
		{"loss beyond", audio, `"packetUtilization":9000,"averagePacketLossRate":0.101`, "POOR", passed("PACKET_LOSS_RATE") + `"worstPacketLossRate":0.101`},
		{"round trip at its limit", audio, `"packetUtilization":9000,"averageRoundTripTime":"PT0.5S"`, "GOOD", `"goodStreams":1,"worstRoundTripTime":"0.500s"`},
		{"round trip beyond", audio, `"packetUtilization":9000,"averageRoundTripTime":"PT0.501S"`, "POOR", passed("ROUND_TRIP_TIME") + `"worstRoundTripTime":"0.501s"`},
		{"largest figures do not judge", audio, `"packetUtilization":9000,"averageJitter":"PT0.01S","maxJitter":"PT5S","maxPacketLossRate":1,"maxRoundTripTime":"PT9S"`, "GOOD", `"goodStreams":1,"worstJitter":"0.010s"`},
		{"a label of any case", "Second-AUDIO", `"packetUtilization":9000,"averageJitter":"PT0.01S"`, "GOOD", `"goodStreams":1,"worstJitter":"0.010s"`},
		{"pictures", "main-video", `"packetUtilization":9000,"averageJitter":"PT9S"`, "UNCLASSIFIED", ``},
		{"pictures with a codec of sound", "main-video", `"packetUtilization":9000,"averageJitter":"PT9S","audioCodec":"satin"`, "UNCLASSIFIED", ``},
		{"no label, but a codec of sound", none, `"packetUtilization":9000,"averageJitter":"PT0.01S","audioCodec":"satin"`, "GOOD", `"goodStreams":1,"worstJitter":"0.010s"`},
		{"no label, but a new codec of sound", none, `"packetUtilization":9000,"averageJitter":"PT0.01S","audioCodec":"satin9"`, "GOOD", `"goodStreams":1,"worstJitter":"0.010s"`},
		{"no label and a codec of pictures", none, `"packetUtilization":9000,"averageJitter":"PT9S","audioCodec":"unknown","videoCodec":"av1"`, "UNCLASSIFIED", ``},
		{"no label and no codec", none, `"packetUtilization":9000,"averageJitter":"PT9S"`, "UNCLASSIFIED", ``},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := quality.Of(callOf(t, oneMedia(tc.label, `{"streamId":"1",`+tc.stream+`}`)))
			more := ""
			if tc.want != "" {
				more = "," + tc.want
			}
			want := &parleyv1.CallQuality{}
			if err := protojson.Unmarshal([]byte(`{"overall":{"classification":"QUALITY_CLASSIFICATION_`+tc.class+`"`+more+`}}`), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestTheWorstFiguresAreThoseOfTheDecidingStreams holds which streams the figures are of: those that were judged and, where none was, the others.
func TestTheWorstFiguresAreThoseOfTheDecidingStreams(t *testing.T) {
	t.Parallel()
	const (
		short = `{"streamId":"short","packetUtilization":9,"averageJitter":"PT8S","averagePacketLossRate":0.9}`
		fine  = `{"streamId":"fine","packetUtilization":900,"averageJitter":"PT0.02S"}`
		lossy = `{"streamId":"lossy","packetUtilization":900,"averageJitter":"PT0.031S","averagePacketLossRate":0.2,"averageRoundTripTime":"PT0.2S"}`
		slow  = `{"streamId":"slow","packetUtilization":900,"averageJitter":"PT0.04S","averagePacketLossRate":0.2,"averageRoundTripTime":"PT0.6S"}`
	)
	for _, tc := range []struct{ name, streams, want string }{
		{"a short one beside a good one", short + "," + fine, `{"classification":"QUALITY_CLASSIFICATION_GOOD","goodStreams":1,"unclassifiedStreams":1,"worstJitter":"0.020s"}`},
		{"short ones alone", short + "," + short, `{"classification":"QUALITY_CLASSIFICATION_UNCLASSIFIED","unclassifiedStreams":2,"worstJitter":"8s","worstPacketLossRate":0.9}`},
		{
			"each limit with the stream that passes it furthest, the first of equals", fine + "," + lossy + "," + slow + "," + short,
			`{"classification":"QUALITY_CLASSIFICATION_POOR","goodStreams":1,"poorStreams":2,"unclassifiedStreams":1,"worstJitter":"0.040s","worstPacketLossRate":0.2,"worstRoundTripTime":"0.600s",
			"passedThresholds":[{"threshold":"QUALITY_THRESHOLD_ROUND_TRIP_TIME","sessionId":"s","segmentId":"g","streamId":"slow"},
			{"threshold":"QUALITY_THRESHOLD_PACKET_LOSS_RATE","sessionId":"s","segmentId":"g","streamId":"lossy"},{"threshold":"QUALITY_THRESHOLD_JITTER","sessionId":"s","segmentId":"g","streamId":"slow"}]}`,
		},
	} {
		want := &parleyv1.Quality{}
		if err := protojson.Unmarshal([]byte(tc.want), want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, quality.Of(callOf(t, oneMedia("main-audio", tc.streams))).GetOverall(), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.name, diff)
		}
	}
}

// TestStreamsCountForThePeopleAtTheirEnds holds whose a stream is, and who is listed: the participants, and those whom only an end of a session or segment names.
func TestStreamsCountForThePeopleAtTheirEnds(t *testing.T) {
	t.Parallel()
	const (
		stream  = `"media":[{"label":"audio","streams":[{"packetUtilization":900,"averageJitter":"PT0S"}]}]`
		service = `{"@odata.type":"#microsoft.graph.callRecords.serviceEndpoint"}`
	)
	end := func(id string) string { return `{"associatedIdentity":{"id":"` + id + `"}}` }
	older := func(kind, id string) string { return `{"identity":{"` + kind + `":{"id":"` + id + `"}}}` }
	session := func(caller, callee, segments string) string {
		return `{"caller":` + caller + `,"callee":` + callee + `,"segments":[` + segments + `]}`
	}
	leg := func(caller, callee string) string {
		return `{"caller":` + caller + `,"callee":` + callee + `,` + stream + `}`
	}
	for _, tc := range []struct{ name, record, want string }{
		{"nobody", `{"sessions":[` + session(service, service, leg(service, service)) + `]}`, "all 1"},
		{"participants without a session", `{"participants_v2":[{"id":"a"},{"id":"b"}]}`, "all 0, a 0, b 0"},
		{"one id is one participant", `{"participants_v2":[{"id":"a"},{"id":"A"},{"identity":{"user":{"id":"a"}}}]}`, "all 0, a 0"},
		{"a participant without an id", `{"participants_v2":[{"identity":{"guest":{"displayName":"G"}}},{"identity":{"guest":{"displayName":"H"}}},{}]}`, "all 0,  0,  0"},
		{"the older list", `{"participants":[{"user":{"id":"a"}},{"phone":{"id":"+49"}}],"participants_v2":[{"id":"b"}]}`, "all 0, b 0, a 0, +49 0"},
		{"a group", `{"participants_v2":[{"id":"a"},{"id":"b"}],"sessions":[` + session(end("A"), service, leg(end("a"), service)) + `,` + session(end("b"), service, leg(service, service)+`,`+leg("null", "null")) + `]}`, "all 3, a 1, b 2"},
		{"two who call each other", `{"sessions":[` + session(end("a"), older("user", "b"), leg("null", "null")) + `]}`, "all 1, a 1, b 1"},
		{"somebody who calls themself", `{"sessions":[` + session(end("a"), end("a"), leg("null", "null")) + `]}`, "all 1, a 1"},
		{"a telephone behind a server", `{"participants_v2":[{"id":"a"},{"id":"+49"}],"sessions":[` + session(end("a"), older("phone", "+49"), leg(end("a"), service)+`,`+leg(service, older("phone", "+49"))) + `]}`, "all 2, a 1, +49 1"},
		{"an end with two ids", `{"participants_v2":[{"id":"b"}],"sessions":[` + session(`{"associatedIdentity":{"id":"x"},"identity":{"device":{"id":"d"},"acsUser":{"id":"B"}}}`, service, leg("null", "null")) + `]}`, "all 1, b 1"},
		{"a device is nobody", `{"sessions":[` + session(`{"identity":{"device":{"id":"d"}}}`, service, leg("null", "null")) + `]}`, "all 1"},
	} {
		got := quality.Of(callOf(t, tc.record))
		parts := append(make([]string, 0, 8), fmt.Sprint("all ", got.GetOverall().GetGoodStreams()))
		for _, p := range got.GetParticipants() {
			parts = append(parts, fmt.Sprint(p.GetParticipantId(), " ", p.GetQuality().GetGoodStreams()))
		}
		if text := strings.Join(parts, ", "); text != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, text, tc.want)
		}
	}
}

// TestTheLowestRatingCounts holds that the lowest rating counts, then one that this contract does not know, then that none was given.
func TestTheLowestRatingCounts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ratings []string // of the callers of sessions
		want    string
	}{
		{[]string{`null`}, `USER_FEEDBACK_RATING_UNSPECIFIED`},
		{[]string{`{"rating":"notRated"}`, `null`}, `USER_FEEDBACK_RATING_NOT_RATED`},
		{[]string{`{"rating":"good"}`, `{"rating":"bad"}`, `{"rating":"excellent"}`}, `USER_FEEDBACK_RATING_BAD`},
		{[]string{`{"rating":"notRated"}`, `{"rating":"excellent"}`}, `USER_FEEDBACK_RATING_EXCELLENT`},
		{[]string{`{"rating":"notRated"}`, `{"rating":"superb"}`, `{"rating":"unknownFutureValue"}`}, `USER_FEEDBACK_RATING_UNSPECIFIED superb`},
		{[]string{`{"rating":"superb"}`, `{"rating":"fair"}`}, `USER_FEEDBACK_RATING_FAIR`},
		{[]string{`{"rating":"unknownFutureValue"}`, `{"rating":"notRated"}`}, `USER_FEEDBACK_RATING_UNKNOWN_FUTURE_VALUE`},
	} {
		sessions := make([]string, 0, len(tc.ratings))
		for _, feedback := range tc.ratings {
			sessions = append(sessions, `{"caller":{"associatedIdentity":{"id":"a"},"feedback":`+feedback+`}}`)
		}
		got := quality.Of(callOf(t, `{"sessions":[`+strings.Join(sessions, ",")+`]}`))
		for _, q := range []*parleyv1.Quality{got.GetOverall(), got.GetParticipants()[0].GetQuality()} {
			if text := strings.TrimSpace(q.GetFeedbackRating().String() + " " + q.GetFeedbackRatingOther()); text != tc.want {
				t.Errorf("%v: %s, want %s", tc.ratings, text, tc.want)
			}
		}
	}
}

// TestDevicesAreThoseOfAudio holds that names of devices are each kept once, and how many.
func TestDevicesAreThoseOfAudio(t *testing.T) {
	t.Parallel()
	media := make([]string, 0, 32)
	for i := range 30 {
		media = append(media, fmt.Sprintf(`{"label":"audio","callerDevice":{"captureDeviceName":"M%d","renderDeviceName":"L"},"calleeDevice":{"captureDeviceName":"other"},"streams":[{}]}`, i/2))
	}
	media = append(media, `{"label":"audio","callerDevice":{"renderDeviceName":"no stream"}}`, `{"label":"video","callerDevice":{"renderDeviceName":"no sound"},"streams":[{}]}`)
	got := quality.Of(callOf(t, `{"sessions":[{"caller":{"associatedIdentity":{"id":"a"}},"segments":[{"media":[`+strings.Join(media, ",")+`]}]}]}`)).GetParticipants()[0]
	if diff := cmp.Diff([]string{"M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9"}, got.GetCaptureDeviceNames()); diff != "" {
		t.Errorf("microphones (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"L"}, got.GetRenderDeviceNames()); diff != "" {
		t.Errorf("loudspeakers (-want +got)\n%s", diff)
	}
}

// TestTimesThatOverlapCountOnce holds that times are counted once where they overlap, whatever their order, and that impossible ones are none.
func TestTimesThatOverlapCountOnce(t *testing.T) {
	t.Parallel()
	day := func(from, to string) string {
		return `"startDateTime":"2026-11-02T` + from + `Z","endDateTime":"2026-11-02T` + to + `Z"`
	}
	for _, tc := range []struct {
		name, call   string
		sessions     []string
		all, present string
	}{
		{"none", `"x":1`, []string{`"x":1`}, "", ""},
		{"one end alone", `"startDateTime":"2026-11-02T08:00:00Z"`, []string{`"endDateTime":"2026-11-02T08:00:00Z"`}, "", ""},
		{"an end before the start", day("09:00:00", "08:00:00"), []string{day("09:00:00", "08:59:59.9999999")}, "", ""},
		{"no time at all", day("09:00:00", "09:00:00"), []string{day("09:00:00", "09:00:00")}, "0s", "0s"},
		{"a part and another", day("08:00:00", "12:00:00"), []string{day("10:00:00", "11:00:00"), day("08:00:00", "08:30:00.5000001")}, "4h0m0s", "1h30m0.5000001s"},
		{"overlapping, inside and touching", day("08:00:00", "12:00:00"), []string{day("09:00:00", "10:00:00"), day("08:00:00", "09:30:00"), day("08:10:00", "08:20:00"), day("10:00:00", "10:15:00")}, "4h0m0s", "2h15m0s"},
		{"longer than a duration", `"startDateTime":"0001-01-01T00:00:01Z","endDateTime":"9999-01-01T00:00:00Z"`, []string{`"startDateTime":"0001-01-01T00:00:01Z","endDateTime":"1999-01-01T00:00:00Z"`, `"startDateTime":"2000-01-01T00:00:00Z","endDateTime":"9999-01-01T00:00:00Z"`}, "2562047h47m16.854775807s", "2562047h47m16.854775807s"},
	} {
		sessions := make([]string, len(tc.sessions))
		for i, times := range tc.sessions {
			sessions[i] = `{` + times + `,"caller":{"associatedIdentity":{"id":"a"}}}`
		}
		got := quality.Of(callOf(t, `{`+tc.call+`,"sessions":[`+strings.Join(sessions, ",")+`]}`))
		for what, pair := range map[string][2]string{"the call": {tc.all, text(got.GetOverall())}, "the participant": {tc.present, text(got.GetParticipants()[0].GetQuality())}} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s lasted %q, want %q", tc.name, what, pair[1], pair[0])
			}
		}
	}
}

func text(q *parleyv1.Quality) string {
	if q.GetDuration() == nil {
		return ""
	}
	return q.GetDuration().AsDuration().String()
}

// FuzzOf holds of any record that what its quality says agrees with itself, and that the record stays as it is.
func FuzzOf(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join("..", "testdata", "quality", "*.json"))
	if err != nil || len(paths) == 0 {
		f.Fatal("no records", err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		var fixture struct {
			Record json.RawMessage `json:"record"`
		}
		if err := json.Unmarshal(raw, &fixture); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(fixture.Record))
	}
	f.Add([]byte(`{"sessions":[{"startDateTime":"0001-01-01T00:00:01Z","endDateTime":"9999-01-01T00:00:00Z","caller":{"associatedIdentity":{"id":"a"}}},` +
		`{"startDateTime":"2000-01-01T00:00:00Z","endDateTime":"9999-12-31T00:00:00Z","caller":{"associatedIdentity":{"id":"a"}}}]}`))
	f.Add([]byte(oneMedia("audio", `{"packetUtilization":501,"averageJitter":"PT1S","averagePacketLossRate":1e30}`)))
	table, err := graphmap.New()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		event, err := table.Event(graphmap.RootCallRecord, record)
		if err != nil {
			return
		}
		before := proto.CloneOf(event.GetCall())
		got := quality.Of(event.GetCall())
		if !proto.Equal(before, event.GetCall()) {
			t.Fatal("the call is not what it was")
		}
		all := []*parleyv1.Quality{got.GetOverall()}
		for _, p := range got.GetParticipants() {
			all = append(all, p.GetQuality())
		}
		for _, q := range all {
			want := parleyv1.QualityClassification_QUALITY_CLASSIFICATION_UNCLASSIFIED
			switch {
			case q.GetPoorStreams() > 0:
				want = parleyv1.QualityClassification_QUALITY_CLASSIFICATION_POOR
			case q.GetGoodStreams() > 0:
				want = parleyv1.QualityClassification_QUALITY_CLASSIFICATION_GOOD
			}
			if q.GetClassification() != want || (len(q.GetPassedThresholds()) > 0) != (q.GetPoorStreams() > 0) || q.GetDuration().AsDuration() < 0 {
				t.Errorf("%v", q)
			}
			if q.GetGoodStreams() > all[0].GetGoodStreams() || q.GetPoorStreams() > all[0].GetPoorStreams() {
				t.Errorf("a participant has more streams than the call: %v", q)
			}
		}
	})
}
