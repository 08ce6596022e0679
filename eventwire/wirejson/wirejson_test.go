package wirejson_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

func TestMarshal(t *testing.T) {
	t.Parallel()
	at := timestamppb.New(time.Date(2026, 11, 2, 9, 30, 0, 500_000_000, time.UTC))
	tests := []struct {
		name    string
		message proto.Message
		want    string
	}{
		{
			name:    "an empty answer writes its lists and booleans",
			message: &parleyv1.ListEventsResponse{},
			want:    `{"events":[],"complete":false,"notices":[],"sources":[]}`,
		},
		{
			name:    "the counts of a usage answer",
			message: &parleyv1.ListCopilotUsageResponse{ReportRefreshDate: "2026-11-20", NextPageToken: "t"},
			want:    `{"rows":[],"nextPageToken":"t","complete":false,"identitiesConcealed":false,"reportRefreshDate":"2026-11-20","notices":[],"sources":[]}`,
		},
		{
			name: "unset fields of an event are left out",
			message: &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: &parleyv1.EventBatch{
				Events: []*parleyv1.Event{{Name: "users/u/events/e", Kind: parleyv1.EventKind_EVENT_KIND_MESSAGE, Version: 7, EventTime: at}},
			}}},
			want: `{"batch":{"events":[{"name":"users/u/events/e","version":"7","kind":"EVENT_KIND_MESSAGE","eventTime":"2026-11-02T09:30:00.500Z"}]}}`,
		},
		{
			name: "a summary and its counts",
			message: &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Summary{Summary: &parleyv1.Summary{
				Sources: []*parleyv1.SourceReport{{
					Source: parleyv1.Source_SOURCE_CHAT, State: parleyv1.SourceState_SOURCE_STATE_READ,
					Covered: &parleyv1.Interval{EndTime: at}, Counts: &parleyv1.SourceCounts{Events: 3},
				}},
			}}},
			want: `{"summary":{"complete":false,"notices":[],"sources":[{"source":"SOURCE_CHAT","state":"SOURCE_STATE_READ",` +
				`"covered":{"endTime":"2026-11-02T09:30:00.500Z"},"gaps":[],"counts":{"events":"3","pages":"0","duplicates":"0","outOfWindow":"0",` +
				`"fromCache":"0","graphRequests":"0","leftOut":"0"},"filteredByGraph":[],"filteredByGateway":[],"failedRequestIds":[],"coverageGaps":[]}]}}`,
		},
		{
			name:    "text is escaped as JSON, not as HTML",
			message: &parleyv1.Notice{Code: "A<B", Message: "a \"quoted\"\nline & more"},
			want:    `{"code":"A<B","message":"a \"quoted\"\nline & more"}`,
		},
		{
			name:    "an unknown enum member is a number",
			message: &parleyv1.SourceProgress{Source: 99},
			want:    `{"source":99}`,
		},
		{name: "content alone", message: &parleyv1.User{Id: "u", DisplayName: "A <b>"}, want: `{"id":"u","displayName":"A <b>"}`},
		{name: "nothing", message: (*parleyv1.User)(nil), want: `null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := wirejson.Marshal(tt.message)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
			if bytes.ContainsRune(got, '\n') || !json.Valid(got) {
				t.Errorf("not one line of JSON: %s", got)
			}
			if tt.want == "null" {
				return
			}
			back := tt.message.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal(got, back); err != nil {
				t.Fatalf("protojson does not read it back: %v", err)
			}
			if diff := cmp.Diff(tt.message, back, protocmp.Transform()); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendKeepsPrefix(t *testing.T) {
	t.Parallel()
	got, err := wirejson.Append([]byte("data: "), &parleyv1.Checkpoint{ResumeToken: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `data: {"resumeToken":"t","sources":[]}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestInvalidText(t *testing.T) {
	t.Parallel()
	if _, err := wirejson.Marshal(&parleyv1.ListUsersResponse{Users: []*parleyv1.User{{Id: "\xff"}}}); err == nil {
		t.Error("invalid UTF-8 was written")
	}
}
