package rest

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/genproto/googleapis/api/httpbody"
)

var errChunk = errors.New("rest: a download of something else than bytes")

// download serves a stream of HttpBody chunks as one file, byte for byte. A failure before the first byte has its real
// status; one after it breaks the connection, so that no client takes a part for the whole.
func (h *Handler) download(ctx context.Context, w http.ResponseWriter, r *http.Request, what *asked) {
	call, begun, gone := newCall(r, what), false, false
	err := h.backend.Stream(ctx, call, what.route.method, what.request, func(message any) error {
		chunk, ok := message.(*httpbody.HttpBody)
		if !ok {
			return errChunk
		}
		if !begun {
			begun = true
			call.beginDownload(w)
		}
		if _, err := w.Write(chunk.GetData()); err != nil {
			gone = true
			return context.Canceled // whose reader is gone
		}
		return nil
	})
	switch {
	case gone:
	case err != nil && begun:
		h.logger.WarnContext(ctx, "download was cut")
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to break a connection
	case err != nil:
		call.tell(w.Header())
		writeError(w, err)
	case !begun:
		call.beginDownload(w)
	}
}

func (c *Call) beginDownload(w http.ResponseWriter) {
	unboundWrite(w)
	header := w.Header()
	c.tell(header)
	header.Set("Content-Type", "text/csv")
	header.Set("Content-Disposition", `attachment; filename="copilot-usage.csv"`)
	header.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
}
