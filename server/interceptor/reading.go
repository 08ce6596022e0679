package interceptor

import (
	"context"

	"github.com/parley-gateway/parley/server/callinfo"
)

// refuseUnreadable refuses a call over REST whose parameters, headers or body cannot be read as a request. The same call over gRPC cannot be
// made, or is refused by validation.
func refuseUnreadable(ctx context.Context) error {
	if request := callinfo.FromContext(ctx).HTTP; request != nil {
		return request.Unreadable
	}
	return nil
}
