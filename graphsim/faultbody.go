package graphsim

import (
	"net/http"
	"time"

	"github.com/parley-gateway/parley/graphsim/faults"
)

// Defaults of faults.Drip.
const (
	dripChunk = 64
	dripDelay = 20 * time.Millisecond
)

// sendBody writes a body as the faults say: whole, in drips, in half, or broken. A broken connection is the client's affair.
func (x *exchange) sendBody(body []byte) {
	for _, f := range x.faults {
		switch f.Kind {
		case faults.MalformedJSON:
			body = faults.BreakJSON(body)
		case faults.CutBody:
			_, _ = x.w.Write(body[:len(body)/2])
			x.drop()
		case faults.Stall:
			_, _ = x.w.Write(body[:len(body)/2])
			_ = http.NewResponseController(x.w).Flush()
			x.silence(f.DelayMS)
		case faults.Drip:
			x.drip(body, orDefault(f.Chunk, dripChunk), orDefault(time.Duration(f.DelayMS)*time.Millisecond, dripDelay))
			return
		}
	}
	_, _ = x.w.Write(body)
}

func (x *exchange) drip(body []byte, chunk int, delay time.Duration) {
	flush := http.NewResponseController(x.w).Flush
	for len(body) > 0 {
		n := min(chunk, len(body))
		if _, err := x.w.Write(body[:n]); err != nil || flush() != nil {
			return
		}
		if body = body[n:]; len(body) > 0 && !pause(x.r.Context(), delay) {
			return
		}
	}
}
