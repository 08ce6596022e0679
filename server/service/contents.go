package service

import (
	"bufio"
	"fmt"
	"io"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/lifetime"
	"github.com/parley-gateway/parley/server/mediatype"
	"github.com/parley-gateway/parley/source"
)

// DownloadHostedContent sends a hosted content of a message as it comes. The sender of the message made the bytes and chose their type, so
// a content that is no picture goes out as plain bytes, which no browser runs (package mediatype).
func (e *events) DownloadHostedContent(req *parleyv1.DownloadHostedContentRequest, stream grpc.ServerStreamingServer[httpbody.HttpBody]) error {
	user, ref, id, err := resource.ParseHostedContent(req.GetName())
	if err != nil {
		return err
	}
	access, err := e.authorizer.authorizeUser(stream.Context(), fieldName, user,
		accessScope{sources: []parleyv1.Source{ref.Source}, view: parleyv1.EventView_EVENT_VIEW_FULL})
	if err != nil {
		return err
	}
	if err := access.refuseWildcard(fieldName); err != nil {
		return err
	}
	if err := access.checkAvailable(ref.Source); err != nil || access.contents == nil {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	if cache.ControlOf(stream.Context()).OnlyIfCached {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED) // contents never are
	}
	ctx, closer, release := e.streams.watch(stream.Context())
	defer release()
	// A person waits for the picture.
	body, given, err := access.contents.HostedContent(source.WithPriority(ctx, source.Interactive), access.graphUser(), ref, id)
	if access.isNotMember(err) {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND)
	}
	if err != nil {
		return closer.Result(apierror.WithSource(ref.Source, err))
	}
	err = sendContent(stream, closer, body, given)
	if closed := body.Close(); err == nil && closed != nil {
		err = fmt.Errorf("close content: %w", closed)
	}
	return closer.Result(apierror.WithSource(ref.Source, err))
}

// sniffed is how many bytes of a content mediatype.Of gets, to recognize a picture.
const sniffed = 512

// sendContent sends a content in chunks under a safe media type.
func sendContent(stream grpc.ServerStreamingServer[httpbody.HttpBody], closer *lifetime.StreamCloser, body io.Reader, given string) error {
	buffered := bufio.NewReaderSize(body, sniffed)
	first, _ := buffered.Peek(sniffed) // reading on meets the same error
	return sendChunks(stream, closer, buffered, mediatype.Of(given, first))
}
