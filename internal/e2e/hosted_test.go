package e2e_test

import (
	"context"
	"image"
	_ "image/gif" // decodes
	_ "image/png" // decodes
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// TestPicturesAreShown finds the pictures in the messages of a simulated tenant by `body.hosted_contents`, and downloads one: for users of its
// chat alone, never for a caller who sees metadata alone, and with a record of who saw it.
func TestPicturesAreShown(t *testing.T) {
	t.Parallel()
	g := serveGuarded(t)
	officer := g.token(t, graphsim.CallerToken{User: g.sim.DemoUser().ID, Roles: []string{"Conversations.Read.All"}})
	owner, hosted := g.aPicture(t, officer)
	path := "/v1/" + hosted.GetName() + ":download"

	status, _, body, headers := g.askAll(t, officer, path)
	picture, format, err := image.Decode(strings.NewReader(body))
	if status != http.StatusOK || err != nil || headers.Get("Content-Type") != "image/"+format || headers.Get("Content-Disposition") != "inline" ||
		headers.Get("Cache-Control") != "no-store" || picture.Bounds().Dx() != 320 {
		t.Errorf("HTTP %d, %q, %v, %v", status, format, err, headers)
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+officer)
	stream, err := g.dial(t).DownloadHostedContent(ctx, &parleyv1.DownloadHostedContentRequest{Name: hosted.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	if chunk, err := stream.Recv(); err != nil || string(chunk.GetData()) != body || chunk.GetContentType() != "image/"+format {
		t.Errorf("over gRPC: %d bytes, %q, %v", len(chunk.GetData()), chunk.GetContentType(), err)
	}

	strangers := 0
	for user := range g.sim.Oracle("").Users() {
		if slices.Contains(slices.Collect(g.sim.Oracle("").Chats(user.ID)), chatOf(t, hosted.GetName())) {
			continue
		}
		if status, reason, _ := g.ask(t, officer, strings.Replace(path, owner, user.ID, 1)); status != http.StatusNotFound || reason != "NOT_FOUND" {
			t.Errorf("somebody who is not in the chat: HTTP %d %s", status, reason)
		}
		if strangers++; strangers == 2 {
			break
		}
	}
	if strangers == 0 {
		t.Error("everybody is in the chat")
	}
	dashboard := g.token(t, graphsim.CallerToken{Roles: []string{"Conversations.Metadata.All"}})
	for who, tc := range map[string]struct {
		token, path, reason string
		status              int
	}{
		"metadata alone":     {dashboard, path, "POLICY_DENIED", http.StatusForbidden},
		"nobody":             {"", path, "CALLER_UNAUTHENTICATED", http.StatusUnauthorized},
		"an id of none":      {officer, strings.Replace(path, hosted.GetId(), "0123456789abcdef0123456789abcdef", 1), "NOT_FOUND", http.StatusNotFound},
		"what is not a name": {officer, "/v1/users/" + owner + "/events/call,1/hostedContents/x:download", "INVALID_ARGUMENT", http.StatusBadRequest},
	} {
		if status, reason, _ := g.ask(t, tc.token, tc.path); status != tc.status || reason != tc.reason {
			t.Errorf("%s: HTTP %d %s, want %d %s", who, status, reason, tc.status, tc.reason)
		}
	}
	if _, _, body := g.ask(t, dashboard, "/v1/users/"+owner+"/events?view=EVENT_VIEW_METADATA&sources=SOURCE_CHAT&pageSize=1000"); strings.Contains(body, "hostedContents") {
		t.Error("the view METADATA names hosted contents")
	}
	records, err := os.ReadFile(g.records)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for line := range strings.SplitSeq(string(records), "\n") {
		if strings.Contains(line, `"DownloadHostedContent"`) {
			told++
			if strings.Contains(line, hosted.GetId()) {
				t.Errorf("a record holds the id: %s", line)
			}
		}
	}
	if told < 2 {
		t.Errorf("%d records of downloads", told)
	}
}

// aPicture finds a picture in a message of anybody.
func (g *guarded) aPicture(t *testing.T, token string) (owner string, hosted *parleyv1.HostedContentLink) {
	t.Helper()
	for user := range g.sim.Oracle("").Users() {
		for next := ""; ; {
			var page parleyv1.ListEventsResponse
			status, _, body := g.ask(t, token, "/v1/users/"+user.ID+"/events?sources=SOURCE_CHAT&pageSize=1000&pageToken="+url.QueryEscape(next))
			if err := protojson.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
				t.Fatalf("HTTP %d, %v in %.300s", status, err, body)
			}
			for _, e := range page.GetEvents() {
				for _, h := range e.GetBody().GetHostedContents() {
					if !strings.HasPrefix(h.GetName(), e.GetName()+"/hostedContents/") || !strings.Contains(e.GetBody().GetContent(), h.GetId()) {
						t.Errorf("%s names %s with the id %s", e.GetName(), h.GetName(), h.GetId())
					}
					return user.ID, h
				}
			}
			if next = page.GetNextPageToken(); next == "" {
				break
			}
		}
	}
	t.Fatal("no message of the tenant has a picture")
	return "", nil
}

// chatOf is the chat in the name of a message, whose id is written as it is.
func chatOf(t *testing.T, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(name, "/events/chat,")
	chat, _, more := strings.Cut(rest, ",")
	if !found || !more {
		t.Fatalf("%s names no message", name)
	}
	return chat
}
