package interceptor

import (
	"context"
	"time"

	"google.golang.org/grpc"
)

// deadline gives a unary call without a deadline one, so that it answers with what it has by then, and caps longer ones.
type deadline struct{ usual, most time.Duration }

func (d deadline) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	left := d.usual
	if end, ok := ctx.Deadline(); ok {
		if left = d.most; time.Until(end) <= left {
			return next(ctx, req)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return next(ctx, req)
}
