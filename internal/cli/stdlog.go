package cli

import (
	"bytes"
	"io"
	"log" //nolint:depguard // net/http writes to it whatever we set; here its lines end
	"log/slog"
	"sync/atomic"

	"google.golang.org/grpc/grpclog"
)

// stdLines takes the lines that libraries write to Go's standard logger. A line may quote an answer of Graph: net/http does so when an
// answer is longer than it announced. So stdLines logs that there was a line, and none of its text.
type stdLines struct{ logger *slog.Logger }

var _ io.Writer = stdLines{}

// Write implements io.Writer; each call is one line.
func (s stdLines) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("Unsolicited response received on idle HTTP channel")) {
		s.logger.Warn("a server or proxy sent more than its answer announced; the connection is closed, the rest dropped", "bytes", len(line))
	} else {
		s.logger.Warn("a library wrote to the standard logger; its text is withheld, since it may quote an answer", "bytes", len(line))
	}
	return len(line), nil
}

// grpcLines takes the errors that grpc and grpc-gateway write to a log of their own, which is standard error by default. They are about
// clients that left and odd headers, with addresses and parts of values, so grpcLines withholds their text.
type grpcLines struct{ logger atomic.Pointer[slog.Logger] }

// grpcErrors receives the errors from before main on, because grpclog asks for its logger to be set before the library runs.
var grpcErrors = func() *grpcLines {
	lines := &grpcLines{}
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, lines))
	return lines
}()

// Write implements io.Writer; each call is one line.
func (g *grpcLines) Write(line []byte) (int, error) {
	if logger := g.logger.Load(); logger != nil {
		logger.Debug("grpc reported an error, such as a client that left; its text is withheld, since it may name one", "bytes", len(line))
	}
	return len(line), nil
}

// redirectStdLog sends the lines of Go's standard logger and of grpc's own log to a logger. The standard logger belongs to the process, so
// only a verb that runs until the process ends may call it. After end is called, the lines are dropped: a connection that is still closing
// may write some.
func redirectStdLog(logger *slog.Logger) (end func()) {
	log.SetOutput(stdLines{logger})
	grpcErrors.logger.Store(logger)
	return func() {
		log.SetOutput(io.Discard)
		grpcErrors.logger.Store(nil)
	}
}
