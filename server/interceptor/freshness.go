package interceptor

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
)

const headerCacheControl = "cache-control"

// freshness reads cache-control, and has the cache note whether answers come from it.
type freshness struct{}

// unary hands the caller's cache-control down, and has the cache note where the parts of the answer come from.
func (freshness) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, err := withControl(ctx)
	if err != nil {
		return nil, err
	}
	callinfo.FromContext(ctx).Recording = true
	return next(ctx, req)
}

// stream hands the caller's cache-control down. The headers of a stream are out before its pages are read.
func (freshness) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, err := withControl(stream.Context())
	if err != nil {
		return err
	}
	return next(srv, &streamWith{stream, ctx})
}

func withControl(ctx context.Context) (context.Context, error) {
	values := metadata.ValueFromIncomingContext(ctx, headerCacheControl)
	if len(values) == 0 {
		return ctx, nil
	}
	control, err := parseControl(strings.Join(values, ","))
	if err != nil {
		return nil, err
	}
	return cache.WithControl(ctx, control), nil
}

// parseControl reads the request directives of RFC 9111 that mean something here; others are ignored, as it asks.
func parseControl(text string) (cache.Control, error) {
	var control cache.Control
	for directive := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-cache":
			control.NoCache = true
		case "only-if-cached":
			control.OnlyIfCached = true
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return control, apierror.Invalid(headerCacheControl, "max-age is a number of seconds")
			}
			age := time.Duration(seconds) * time.Second
			control.MaxAge = &age
		}
	}
	return control, nil
}
