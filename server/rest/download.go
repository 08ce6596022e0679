package rest

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
)

// download serves a stream of HttpBody chunks as one file, byte for byte. A failure before the first byte has its real
// status; one after it breaks the connection, so that no client takes a part for the whole.
func (h *Handler) download(rt *route, conn *grpc.ClientConn) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		stream, err := h.open(ctx, conn, rt, r, params, nil)
		if err != nil {
			writeError(w, err)
			return
		}
		message, err := stream.next()
		stream.headers(w.Header())
		if err != nil && !errors.Is(err, io.EOF) {
			writeError(w, err)
			return
		}
		header := w.Header()
		header.Set("Content-Type", "text/csv")
		header.Set("Content-Disposition", `attachment; filename="copilot-usage.csv"`)
		header.Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		for ; err == nil; message, err = stream.next() {
			chunk, ok := message.(*httpbody.HttpBody)
			if !ok {
				break
			}
			if _, err := w.Write(chunk.GetData()); err != nil {
				return // the client is gone
			}
		}
		if !errors.Is(err, io.EOF) {
			h.logger.WarnContext(ctx, "download was cut")
			panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to break a connection
		}
	}
}
