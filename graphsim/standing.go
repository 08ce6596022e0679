package graphsim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/parley-gateway/parley/graphsim/entra"
)

// Standing is how a user stands with the directory, as far as applications that act on their behalf are concerned.
type Standing = entra.Standing

// SetStanding changes how a user, by object id or user principal name, stands in every tenant that has them.
func (s *Sim) SetStanding(user string, standing Standing) error {
	found := false
	for _, w := range s.worlds {
		if r, ok := w.People.Find(user); ok {
			found = true
			s.standings.Store(w.People.ID(r), standing)
		}
	}
	if !found {
		return errors.New("graphsim: no such user")
	}
	return nil
}

func (s *Sim) standing(id string) Standing {
	v, _ := s.standings.Load(id)
	standing, _ := v.(Standing)
	return standing
}

// serveStanding takes {"user":…, "noConsent":…, …} by POST.
func (s *Sim) serveStanding(x *exchange) {
	var asked struct {
		User string `json:"user"`

		Standing
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxAdminBody))
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err == nil {
		err = s.SetStanding(asked.User, asked.Standing)
	}
	if err != nil {
		x.adminJSON(http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	x.adminJSON(http.StatusOK, asked)
}
