package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// maxFrame bounds the wire bytes of a stream frame and of a List answer; their JSON may be longer.
const maxFrame = 3 << 20

// framesOf reads a REST stream, in either form, to its end; no frame takes more than 3 MiB on the wire.
func (g *tenantUnderTest) framesOf(t *testing.T, path, accept string) (frames []*parleyv1.StreamEventsResponse) {
	t.Helper()
	kind := ""
	for line := range bytes.Lines(g.read(t, path, accept)) {
		if name, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			kind = string(bytes.TrimSpace(name))
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok && line[0] != 0x7b {
			continue
		}
		frame := &parleyv1.StreamEventsResponse{}
		if err := protojson.Unmarshal(data, frame); err != nil {
			t.Fatalf("%v in %.300s", err, data)
		}
		if proto.Size(frame) > maxFrame {
			t.Errorf("%s: a frame of %d bytes", accept, proto.Size(frame))
		}
		if ok && kind == "batch" != (frame.GetBatch() != nil) || frame.GetBatch() != nil && len(frame.GetBatch().GetEvents()) == 0 {
			t.Errorf("%s is %.300s", kind, data)
		}
		frames = append(frames, frame)
	}
	return frames
}

// grpcFrames reads a gRPC stream to its end; no frame takes more than 3 MiB.
func (g *tenantUnderTest) grpcFrames(t *testing.T, req *parleyv1.StreamEventsRequest) (frames []*parleyv1.StreamEventsResponse) {
	t.Helper()
	stream, err := parleyv1.NewEventServiceClient(g.conn).StreamEvents(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		if proto.Size(frame) > maxFrame {
			t.Errorf("a frame of %d bytes", proto.Size(frame))
		}
		frames = append(frames, frame)
	}
}

// eventsIn collects events, and how many came before each checkpoint by its token.
func eventsIn(frames []*parleyv1.StreamEventsResponse) (events []*parleyv1.Event, checkpoints map[string]int, complete bool) {
	checkpoints = map[string]int{}
	for _, f := range frames {
		events = append(events, f.GetBatch().GetEvents()...)
		if c := f.GetCheckpoint(); c != nil {
			checkpoints[c.GetResumeToken()] = len(events)
		}
		complete = f.GetSummary().GetComplete()
	}
	return events, checkpoints, complete
}

func sameEvents(t *testing.T, how string, got, want []*parleyv1.Event) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b *parleyv1.Event) bool { return proto.Equal(a, b) }) {
		t.Errorf("%s: %d events are not the %d others", how, len(got), len(want))
	}
}

// bigCall is a call record with many sessions, whose devices have names of a length.
func bigCall(t *testing.T, sessions, nameLength int) string {
	t.Helper()
	stream := map[string]any{"streamId": "s", "unknownOfStream": 1}
	for _, name := range []string{"wasMediaBypassed", "isAudioForwardErrorCorrectionUsed"} {
		stream[name] = true
	}
	for _, name := range []string{
		"averageBandwidthEstimate", "packetUtilization", "averagePacketLossRate", "maxPacketLossRate", "averageVideoFrameRate",
		"averageReceivedFrameRate", "lowFrameRateRatio", "averageRatioOfConcealedSamples",
	} {
		stream[name] = 1
	}
	device := map[string]any{"captureDeviceName": strings.Repeat("M", nameLength), "unknownOfDevice": "x", "micGlitchRate": 1.5, "speakerGlitchRate": 2.5, "receivedSignalLevel": -20}
	media := map[string]any{
		"label": "main-audio", "callerDevice": device, "calleeDevice": device,
		"callerNetwork": map[string]any{"ipAddress": "10.0.0.1", "connectionType": "wifi", "port": 5, "sentQualityEventRatio": 1, "unknownOfNetwork": true},
		"streams":       []any{stream, stream, stream},
	}
	segment := func(id string) map[string]any {
		return map[string]any{
			"id": id, "startDateTime": "2026-11-20T10:00:00Z", "endDateTime": "2026-11-20T10:01:00Z", "unknownOfSegment": "x",
			"media": []any{media, media, media},
		}
	}
	all := make([]any, sessions)
	for i := range all {
		id := fmt.Sprintf("session-%d", i)
		all[i] = map[string]any{"id": id, "modalities": []string{"audio", "video"}, "unknownOfSession": id, "segments": []any{segment(id + "a"), segment(id + "b")}}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(callRecord("c1", "https://teams.microsoft.com/l/meetup-join/"+meetingChat+"/0"), "}") + `,"sessions":` + string(text) + `}`
}

// TestALargeCallIsCutByName: a call record above the limit of a frame is cut by name, alike over gRPC and REST; one below it is whole,
// however long its JSON is. GetEvent alone is whole always.
func TestALargeCallIsCutByName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sessions, nameLength int // in the record
		least                int // sessions in the stream
		cut                  []string
	}{{60, 10, 60, nil}, {215, 1000, 100, []string{"call.sessions", "unmapped"}}} {
		t.Run(strconv.Itoa(test.nameLength), func(t *testing.T) {
			t.Parallel()
			record, one := bigCall(t, test.sessions, test.nameLength), callsPath+"/c1"
			g := overFixture(t, &fixture{
				rows: map[string][]string{callsPath: {callRecord("c1", "https://teams.microsoft.com/l/meetup-join/"+meetingChat+"/0")}},
				fixed: map[string]string{
					one + "?$expand=sessions%28%24expand%3Dsegments%29": record,
					one + "/participants_v2":                            page("", `{"id":"`+reader+`","identity":{"user":{"id":"`+reader+`"}}}`),
				},
			}, nil)
			path := "/v1/users/" + reader + "/events:stream?sources=SOURCE_CALL&view=EVENT_VIEW_FULL&startTime=" + day(2)
			lines, _, complete := eventsIn(g.framesOf(t, path, "application/x-ndjson"))
			if len(lines) != 1 || !complete {
				t.Fatalf("%d events, complete %v", len(lines), complete)
			}
			served, _, _ := eventsIn(g.framesOf(t, path, "text/event-stream"))
			start, err := url.QueryUnescape(day(2))
			if err != nil {
				t.Fatal(err)
			}
			from := &parleyv1.StreamEventsRequest{
				Parent: "users/" + reader, Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CALL}, View: parleyv1.EventView_EVENT_VIEW_FULL,
			}
			from.StartTime = stampOf(t, start)
			called, _, _ := eventsIn(g.grpcFrames(t, from))
			sameEvents(t, "server-sent events", served, lines)
			sameEvents(t, "gRPC", called, lines)
			whole, err := parleyv1.NewEventServiceClient(g.conn).GetEvent(t.Context(), &parleyv1.GetEventRequest{Name: lines[0].GetName()}, grpc.MaxCallRecvMsgSize(32<<20))
			if err != nil || len(whole.GetCall().GetSessions()) != test.sessions || len(whole.GetTruncatedFields()) != 0 {
				t.Fatalf("GetEvent: %d sessions, %v", len(whole.GetCall().GetSessions()), err)
			}
			t.Logf("the whole event has %d bytes", proto.Size(whole))
			kept := len(lines[0].GetCall().GetSessions())
			if kept < test.least || !slices.EqualFunc(lines[0].GetCall().GetSessions(), whole.GetCall().GetSessions()[:kept], func(a, b *parleyv1.CallSession) bool { return proto.Equal(a, b) }) {
				t.Errorf("%d sessions are not the first ones", kept)
			}
			if got := lines[0].GetTruncatedFields(); !slices.Equal(got, test.cut) || lines[0].GetCall().GetPartial() != (len(test.cut) > 0) {
				t.Errorf("cut %v, want %v", got, test.cut)
			}
			if test.cut == nil && !proto.Equal(whole, lines[0]) {
				t.Error("the streamed event is not the whole one")
			}
			var list parleyv1.ListEventsResponse
			if status, body := g.get(t, strings.Replace(path, ":stream", "", 1), &list); status != http.StatusOK || proto.Size(&list) > maxFrame || len(list.GetEvents()) != 1 {
				t.Errorf("HTTP %d, %d bytes, %d events", status, len(body), len(list.GetEvents()))
			}
		})
	}
}

// TestFramesEndAtTheirLimitOfBytes: frames and pages end at their limit of wire bytes, whatever the length of their JSON. One message that
// is too long alone is cut by name, and each checkpoint leads to exactly the rest.
func TestFramesEndAtTheirLimitOfBytes(t *testing.T) {
	t.Parallel()
	const messages, long, small, large = 16, 2, 150 << 10, 3 << 20 // the long one comes early, so that few resumed streams hold it
	rows := make([]string, 0, messages)
	begin := time.Now().UTC().Add(-30 * time.Hour).Truncate(time.Hour)
	for i := range messages {
		content, at := strings.Repeat("x", small), begin.Add(time.Duration(i)*time.Minute).Format(time.RFC3339)
		if i == long {
			content = strings.Repeat(`\u0001`, 1<<20) + strings.Repeat("x", large-1<<20) // what remains of it is six times as long in JSON
		}
		rows = append(rows, fmt.Sprintf(`{"id":"%d","chatId":%q,"messageType":"message","createdDateTime":%q,"lastModifiedDateTime":%q,"body":{"contentType":"text","content":"`+content+`"}}`,
			i, groupChat, at, at))
	}
	one := "/users/" + reader + "/chats/" + strings.NewReplacer(":", "%3A", "@", "%40").Replace(groupChat)
	g := overFixture(t, &fixture{
		rows:  map[string][]string{messagesPath: rows},
		fixed: map[string]string{one + "/messages/" + strconv.Itoa(long): rows[long], one + "/members": `{"value":[{"id":"m","userId":"` + reader + `"}]}`},
	}, nil)
	query := "sources=SOURCE_CHAT&startTime=" + day(3) + "&endTime=" + url.QueryEscape(begin.Add(time.Hour).Format(time.RFC3339))
	path := "/v1/users/" + reader + "/events:stream?" + query
	frames := g.framesOf(t, path, "application/x-ndjson")
	all, checkpoints, complete := eventsIn(frames)
	if len(all) != messages || !complete || len(checkpoints) < 3 {
		t.Fatalf("%d events, %d checkpoints, complete %v", len(all), len(checkpoints), complete)
	}
	for i, e := range all {
		want, n := small, len(e.GetBody().GetContent())
		if cut := slices.Contains(e.GetTruncatedFields(), "body.content"); cut != (i == long) || cut && n < 1<<20 || !cut && n != want {
			t.Errorf("%d: %d bytes, cut %v", i, n, e.GetTruncatedFields())
		}
	}
	served, _, _ := eventsIn(g.framesOf(t, path, "text/event-stream"))
	sameEvents(t, "server-sent events", served, all)
	req := &parleyv1.StreamEventsRequest{Parent: "users/" + reader, Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}}
	start, err := url.QueryUnescape(day(3))
	if err != nil {
		t.Fatal(err)
	}
	req.StartTime, req.EndTime = stampOf(t, start), stampOf(t, begin.Add(time.Hour).Format(time.RFC3339))
	called, _, _ := eventsIn(g.grpcFrames(t, req))
	sameEvents(t, "gRPC", called, all)
	for token, before := range checkpoints {
		rest, _, complete := eventsIn(g.framesOf(t, path+"&resumeToken="+url.QueryEscape(token), "application/x-ndjson"))
		if sameEvents(t, "resumed", rest, all[before:]); !complete {
			t.Error("a resumed stream is not complete")
		}
		req.ResumeToken = token
		rest, _, _ = eventsIn(g.grpcFrames(t, req))
		sameEvents(t, "resumed over gRPC", rest, all[before:])
	}
	var listed []*parleyv1.Event
	for token := ""; ; {
		var list parleyv1.ListEventsResponse
		status, body := g.get(t, "/v1/users/"+reader+"/events?pageSize=1000&"+query+"&pageToken="+url.QueryEscape(token), &list)
		if status != http.StatusOK || proto.Size(&list) > maxFrame || len(list.GetEvents()) == 0 {
			t.Fatalf("HTTP %d, %d bytes, %d events", status, len(body), len(list.GetEvents()))
		}
		listed = append(listed, list.GetEvents()...)
		if token = list.GetNextPageToken(); token == "" {
			break
		}
	}
	sameEvents(t, "list", listed, all)
	var whole parleyv1.Event
	if status, _ := g.get(t, "/v1/"+all[long].GetName(), &whole); status != http.StatusOK || len(whole.GetBody().GetContent()) != large || len(whole.GetTruncatedFields()) > 0 {
		t.Errorf("HTTP %d, %d bytes", status, len(whole.GetBody().GetContent()))
	}
}

func stampOf(t *testing.T, text string) *timestamppb.Timestamp {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return timestamppb.New(at)
}
