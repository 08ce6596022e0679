package graphsim

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/parley-gateway/parley/graphsim/faults"
)

const maxAdminBody = 1 << 20

// serveAdmin answers /_sim/faults (GET, POST a list in JSON or YAML, DELETE), /_sim/requests (GET, DELETE),
// /_sim/token, /_sim/standing (POST), /_sim/clock (GET, POST) and /_sim/ca.pem. They need no token: the simulator listens on loopback only.
func (s *Sim) serveAdmin(x *exchange, segments []string) {
	switch strings.ToLower(strings.Join(segments[1:], "/")) + " " + x.r.Method {
	case "faults GET":
		x.adminJSON(http.StatusOK, s.faults.List())
	case "faults POST":
		data, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxAdminBody))
		if err != nil {
			x.adminJSON(http.StatusBadRequest, map[string]string{"error": "the body could not be read"})
			return
		}
		planned, err := faults.Parse(data)
		if err == nil {
			err = s.SetFaults(planned)
		}
		if err != nil {
			x.adminJSON(http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		x.adminJSON(http.StatusOK, s.faults.List())
	case "faults DELETE":
		if err := s.SetFaults(nil); err != nil {
			x.adminJSON(http.StatusInternalServerError, map[string]string{"error": err.Error()})
			return
		}
		x.adminJSON(http.StatusOK, []faults.Fault{})
	case "requests GET":
		x.adminJSON(http.StatusOK, map[string]any{"counts": s.RequestCounts(), "requests": s.Requests()})
	case "requests DELETE":
		s.ResetRequests()
		x.adminJSON(http.StatusOK, map[string]any{})
	case "standing POST":
		s.serveStanding(x)
	case "clock GET", "clock POST":
		s.serveClock(x)
	case "token GET":
		s.serveCallerToken(x)
	case "ca.pem GET":
		x.write(http.StatusOK, "application/x-pem-file", s.CACertPEM())
	default:
		x.adminJSON(http.StatusNotFound, map[string]string{"error": "there are /_sim/faults, /_sim/requests, /_sim/token, /_sim/standing, /_sim/clock and /_sim/ca.pem"})
	}
}

func (x *exchange) adminJSON(status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	x.write(status, "application/json", append(body, '\n'))
}
