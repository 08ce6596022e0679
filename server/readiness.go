package server

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// healthService answers for health to whoever reaches the listener. A watch of a service that does not exist is refused at once: the library
// would keep its name for as long as it is watched.
type healthService struct{ *health.Server }

// Watch implements the health service.
func (h healthService) Watch(req *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	if _, err := h.Check(stream.Context(), req); err != nil {
		return err
	}
	return h.Server.Watch(req, stream)
}

// setRecording notes whether audit records can be written. While they cannot, every call of the API is refused, so health and
// readiness say that another replica should be asked.
func (s *Server) setRecording(ok bool) {
	state := grpc_health_v1.HealthCheckResponse_SERVING
	if !ok {
		state = grpc_health_v1.HealthCheckResponse_NOT_SERVING
	}
	switch was := s.unrecorded.Swap(!ok); {
	case ok && was:
		s.cfg.Logger.LogAttrs(context.Background(), slog.LevelInfo, "audit records can be written again, calls are served")
	case !ok && !was:
		s.cfg.Logger.LogAttrs(context.Background(), slog.LevelError, "audit records cannot be written, no call is served")
	}
	s.health.SetServingStatus("", state)
	for name := range s.public.GetServiceInfo() {
		s.health.SetServingStatus(name, state)
	}
}
