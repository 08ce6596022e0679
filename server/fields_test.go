package server_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// wroteEvent has a canary in what the selections of the tests leave out.
func wroteEvent() *parleyv1.Event {
	return &parleyv1.Event{
		Name: "users/u/events/a", Uid: "uid", Body: &parleyv1.Body{Content: "canary", PlainText: "text"}, WebUrl: "https://canary.example",
		Attachments: []*parleyv1.Attachment{{Id: "1", Name: "Budget.xlsx"}, {Name: "canary"}},
	}
}

// TestASelectionCutsEventsTheSameOverBothProtocols: a selection cuts the events of Lists and streams over both protocols to the same fields, and keeps the rest of the answer.
func TestASelectionCutsEventsTheSameOverBothProtocols(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	want := &parleyv1.Event{Name: "users/u/events/a", Body: &parleyv1.Body{PlainText: "text"}, Attachments: []*parleyv1.Attachment{{Id: "1"}, {}}}
	rest := &parleyv1.ListEventsResponse{
		NextPageToken: "next", Notices: []*parleyv1.Notice{{Code: "A"}},
		Sources: []*parleyv1.SourceReport{{Source: parleyv1.Source_SOURCE_CHAT, State: parleyv1.SourceState_SOURCE_STATE_READ}},
	}
	h.lists(func(context.Context) (*parleyv1.ListEventsResponse, error) {
		answer := proto.CloneOf(rest)
		answer.Events = []*parleyv1.Event{wroteEvent(), wroteEvent()}
		return answer, nil
	})
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		batch := &parleyv1.EventBatch{Events: []*parleyv1.Event{wroteEvent(), wroteEvent()}}
		for _, frame := range []*parleyv1.StreamEventsResponse{
			{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}},
			{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: "point"}}},
			summaryFrame("end"),
		} {
			if err := emit(frame); err != nil {
				return err
			}
		}
		return nil
	}
	client := parleyv1.NewEventServiceClient(h.conn)
	for _, fields := range []string{"name,body.plain_text,attachments.id", "events.name, body.plainText,events.attachments.id", "attachments.id,name,name,body.plain_text"} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "parley-fields", fields)
		page, err := client.ListEvents(ctx, &parleyv1.ListEventsRequest{Parent: anna})
		if err != nil {
			t.Fatal(err)
		}
		whole := proto.CloneOf(rest)
		whole.Events = []*parleyv1.Event{want, want}
		if diff := cmp.Diff(whole, page, protocmp.Transform()); diff != "" {
			t.Errorf("%s: List (-want +got):\n%s", fields, diff)
		}
		stream, err := client.StreamEvents(ctx, &parleyv1.StreamEventsRequest{Parent: anna})
		if err != nil {
			t.Fatal(err)
		}
		events, frames := 0, 0
		for {
			frame, err := stream.Recv()
			if err != nil {
				break
			}
			frames++
			for _, event := range frame.GetBatch().GetEvents() {
				events++
				if diff := cmp.Diff(want, event, protocmp.Transform()); diff != "" {
					t.Errorf("%s: stream (-want +got):\n%s", fields, diff)
				}
			}
		}
		if events != 2 || frames < 3 {
			t.Errorf("%s: %d events in %d frames", fields, events, frames)
		}
		for _, path := range []string{"/events?", "/events:stream?"} {
			for _, accept := range []string{ndjson, sse} {
				text := body(t, h.get(t, "/v1/"+anna+path+"fields="+url.QueryEscape(fields), "Accept", accept))
				if strings.Contains(text, "canary") || strings.Count(text, `"plainText":"text"`) != 2 || strings.Contains(text, "uid") ||
					!strings.Contains(text, "complete") {
					t.Errorf("%s%s as %s: %s", path, fields, accept, text)
				}
				if header := body(t, h.get(t, "/v1/"+anna+path, "Accept", accept, "Parley-Fields", fields)); header != text {
					t.Errorf("%s%s as %s: the header gives %s", path, fields, accept, header)
				}
			}
		}
	}
	if text := body(t, h.get(t, "/v1/"+anna+"/events?fields=*")); !strings.Contains(text, "canary") {
		t.Errorf("* leaves out: %s", text)
	}
	tags := map[string]bool{}
	for _, query := range []string{"", "?fields=name", "?fields=uid", "?fields=name,uid"} {
		resp := h.get(t, "/v1/"+anna+"/events"+query)
		body(t, resp)
		tags[resp.Header.Get("Etag")] = true
	}
	if len(tags) != 4 {
		t.Errorf("%d entity tags of four selections", len(tags))
	}
}

// TestFaultsOfFields: a selection that names no field, or one outside the view, is refused with its name before anything is asked.
func TestFaultsOfFields(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	client := parleyv1.NewEventServiceClient(h.conn)
	for fields, test := range map[string]struct {
		view  parleyv1.EventView
		wants string
	}{
		"name,bodi":               {0, `"bodi" is not a field; did you mean body?`},
		"body.plain":              {0, `"body.plain" is not a field below body;`},
		"body.plain_text.x":       {0, `goes on below body.plain_text`},
		"event_time.seconds":      {0, `goes on below event_time`},
		"name,,uid":               {0, `"" is not a field`},
		"events(name)":            {0, `is not a field`},
		"unmapped":                {0, `"unmapped" lies outside the view BASIC`},
		"name,body.plain_text":    {parleyv1.EventView_EVENT_VIEW_METADATA, `"body.plain_text" lies outside the view METADATA`},
		"attachments.name":        {parleyv1.EventView_EVENT_VIEW_METADATA, `"attachments.name" lies outside the view METADATA`},
		strings.Repeat("a.", 900): {0, "is not a field"},
	} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "parley-fields", fields)
		_, err := client.ListEvents(ctx, &parleyv1.ListEventsRequest{Parent: "users/" + annaUPN, View: test.view})
		if s := status.Convert(err); !strings.Contains(s.Message(), test.wants) || s.Code().String() != "InvalidArgument" {
			t.Errorf("%.40s: %v, want %q", fields, err, test.wants)
		}
		resp := h.get(t, "/v1/users/"+annaUPN+"/events?view="+test.view.String()+"&fields="+url.QueryEscape(fields))
		if e := parseError(t, body(t, resp)); resp.StatusCode != http.StatusBadRequest || !strings.Contains(e.Message, test.wants) {
			t.Errorf("%.40s: %d %+v, want %q", fields, resp.StatusCode, e, test.wants)
		}
	}
	for path, headers := range map[string][]string{
		"/v1/" + anna + "/events?fields=":                   nil,
		"/v1/" + anna + "/events?fields=name":               {"Parley-Fields", "uid"},
		"/v1/copilotUsage:download?period=D7&fields=name":   nil,
		"/v1/users?fields=nobody":                           nil,
		"/v1/copilotUsage?period=D7&fields=nothing":         nil,
		"/v1/" + anna + "/conversations?fields=events.name": nil,
	} {
		if resp := h.get(t, path, headers...); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body(t, resp), `fields`) {
			t.Errorf("%s %v: %d", path, headers, resp.StatusCode)
		}
	}
	if asked, _, _ := h.take(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}
