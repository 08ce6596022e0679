package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/source"
)

const pictureName = "/events/chat," + chatID + ",1700000000000/hostedContents/"

// downloadContent reads a hosted content over gRPC.
func downloadContent(ctx context.Context, h *harness, name string) (content []byte, mediaType string, err error) {
	stream, err := parleyv1.NewEventServiceClient(h.conn).DownloadHostedContent(ctx, &parleyv1.DownloadHostedContentRequest{Name: name})
	for first := true; err == nil; first = false {
		chunk, recvErr := stream.Recv()
		if errors.Is(recvErr, io.EOF) {
			return content, mediaType, nil
		}
		if err = recvErr; err != nil {
			break
		}
		if first {
			mediaType = chunk.GetContentType()
		}
		content = append(content, chunk.GetData()...)
	}
	return nil, "", err
}

// TestHostedContentsAreShownOrSaved downloads contents of every sort over both protocols: pictures are shown, everything else is saved, and nothing is
// kept.
func TestHostedContentsAreShownOrSaved(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	long := "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00\x01\xfe", 70_000)
	for name, tc := range map[string]struct{ given, bytes, mediaType, disposition string }{
		"picture":         {"image/png", long, "image/png", "inline"},
		"parameters":      {"Image/JPEG; charset=binary", "\xff\xd8\xff", "image/jpeg", "inline"},
		"no type":         {"", "GIF89a", "image/gif", "inline"},
		"unnamed picture": {"application/octet-stream", long, "image/png", "inline"},
		"SVG":             {"image/svg+xml", `<svg onload="x()"/>`, "application/octet-stream", `attachment; filename="hosted-content.bin"`},
		"page":            {"text/html; charset=utf-8", "<script>x()</script>", "application/octet-stream", `attachment; filename="hosted-content.bin"`},
		"page of no type": {"", "<!DOCTYPE html><script>", "application/octet-stream", `attachment; filename="hosted-content.bin"`},
		"report":          {"text/csv", "a,b", "application/octet-stream", `attachment; filename="hosted-content.bin"`},
		"nothing":         {"image/png", "", "image/png", "inline"},
	} {
		h.content = func(user string, ref source.Ref, id string) (io.ReadCloser, string, error) {
			want := source.Ref{Source: parleyv1.Source_SOURCE_CHAT, Chat: chatID, ID: "1700000000000"}
			if user != annaID || ref != want || id != "aW1n=" {
				t.Errorf("%s: asked for %q, %+v, %q", name, user, ref, id)
			}
			return io.NopCloser(strings.NewReader(tc.bytes)), tc.given, nil
		}
		for _, id := range []string{"aW1n=", "aW1n%3D", "~YVcxbj0"} {
			resp := h.get(t, "/v1/"+anna+pictureName+id+":download")
			got := body(t, resp)
			headers := map[string]string{}
			for _, key := range []string{"Content-Type", "Content-Disposition", "X-Content-Type-Options", "Cache-Control", "Content-Security-Policy", "X-Frame-Options", "Etag", "Age"} {
				headers[key] = resp.Header.Get(key)
			}
			want := map[string]string{
				"Content-Type": tc.mediaType, "Content-Disposition": tc.disposition, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox", "X-Frame-Options": "DENY", "Etag": "", "Age": "",
			}
			if resp.StatusCode != http.StatusOK || got != tc.bytes {
				t.Errorf("%s %s: HTTP %d, %d bytes, want %d", name, id, resp.StatusCode, len(got), len(tc.bytes))
			}
			if diff := cmp.Diff(want, headers); diff != "" {
				t.Errorf("%s %s: %s", name, id, diff)
			}
		}
		content, mediaType, err := downloadContent(t.Context(), h, anna+pictureName+"aW1n%3D")
		if err != nil || mediaType != tc.mediaType || !bytes.Equal(content, []byte(tc.bytes)) {
			t.Errorf("%s over gRPC: %q, %d bytes, %v", name, mediaType, len(content), err)
		}
	}
}

// TestHostedContentErrors holds the errors of a download: names that are none, what Graph refuses, and a content that is cut.
func TestHostedContentErrors(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	base := "/v1/" + anna
	for name, tc := range map[string]struct{ name, path string }{
		"an interaction":      {anna + "/events/copilot,-,s,1/hostedContents/h", base + "/events/copilot,-,s,1/hostedContents/h:download"},
		"a call":              {anna + "/events/call,1/hostedContents/h", base + "/events/call,1/hostedContents/h:download"},
		"no form of an id":    {anna + "/events/mail,1/hostedContents/h", base + "/events/mail,1/hostedContents/h:download"},
		"a message elsewhere": {anna + "/events/chat,-,1/hostedContents/h", base + "/events/chat,-,1/hostedContents/h:download"},
		"broken base64url":    {anna + pictureName + "~!", base + pictureName + "~!:download"},
		"a control":           {anna + pictureName + "a%0ab", base + pictureName + "a%0ab:download"},
		"a slash":             {anna + pictureName + "a/b", base + pictureName + "a%2Fb:download"},
		"the whole tenant":    {"users/-" + pictureName + "h", "/v1/users/-" + pictureName + "h:download"},
		"a long id":           {anna + pictureName + strings.Repeat("x", 1025), base + pictureName + strings.Repeat("x", 1025) + ":download"},
	} {
		_, _, err := downloadContent(t.Context(), h, tc.name)
		if status.Code(err) != codes.InvalidArgument || len(fieldsOf(err)) != 1 || fieldsOf(err)[0] != "name" {
			t.Errorf("%s over gRPC: %v, fields %q", name, err, fieldsOf(err))
		}
		resp := h.get(t, tc.path)
		if wire := parseError(t, body(t, resp)); resp.StatusCode != http.StatusBadRequest || !cmp.Equal(wire.fields(), []string{"name"}) {
			t.Errorf("%s over REST: HTTP %d, fields %q", name, resp.StatusCode, wire.fields())
		}
	}
	for reason, tc := range map[string]struct {
		err  error
		code codes.Code
		http int
	}{
		"NOT_FOUND":                {&graph.Error{Kind: graph.KindNotFound, Status: http.StatusNotFound}, codes.NotFound, http.StatusNotFound},
		"GRAPH_PERMISSION_MISSING": {&graph.Error{Kind: graph.KindForbidden, Status: http.StatusForbidden}, codes.PermissionDenied, http.StatusForbidden},
		"GRAPH_THROTTLED":          {&graph.Error{Kind: graph.KindThrottled, Status: http.StatusTooManyRequests}, codes.ResourceExhausted, http.StatusTooManyRequests},
		"GRAPH_UNAVAILABLE":        {&graph.Error{Kind: graph.KindUnavailable, Status: http.StatusBadGateway}, codes.Unavailable, http.StatusServiceUnavailable},
	} {
		h.content = func(string, source.Ref, string) (io.ReadCloser, string, error) { return nil, "", tc.err }
		_, _, err := downloadContent(t.Context(), h, anna+pictureName+"h")
		if status.Code(err) != tc.code || apierror.Reason(status.Convert(err)) != reason {
			t.Errorf("%s over gRPC: %v", reason, err)
		}
		resp := h.get(t, base+pictureName+"h:download")
		if wire := parseError(t, body(t, resp)); resp.StatusCode != tc.http || wire.reason() != reason || resp.Header.Get("Content-Disposition") != "" {
			t.Errorf("%s over REST: HTTP %d, %s, %v", reason, resp.StatusCode, wire.reason(), resp.Header)
		}
	}
	if resp := h.send(t, t.Context(), http.MethodHead, base+pictureName+"h:download"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != http.MethodGet {
		t.Errorf("HEAD: HTTP %d, Allow %q", resp.StatusCode, resp.Header.Get("Allow"))
	}

	h.content = func(string, source.Ref, string) (io.ReadCloser, string, error) {
		cut := io.MultiReader(strings.NewReader(strings.Repeat("x", 200_000)), broken{})
		return io.NopCloser(cut), "image/png", nil
	}
	resp := h.get(t, base+pictureName+"h:download")
	if read, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a cut content looks whole: %d bytes", len(read))
	}
	_ = resp.Body.Close() // it is broken
	if _, _, err := downloadContent(t.Context(), h, anna+pictureName+"h"); status.Code(err) != codes.Unavailable {
		t.Errorf("a cut content over gRPC: %v", err)
	}
}

// broken is the rest of a content that does not come.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, &graph.Error{Kind: graph.KindUnavailable} }
