package rest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
)

// checkRequest is called by the mux before the generated handler of a path. It refuses verbs that the method does not have and query
// parameters that are not fields of its request. The mux's own parser would refuse some of them too, but without the name of
// the parameter, and an error cannot return from it whole. The mux reads what passes here as it is.
func (h *Handler) checkRequest(next runtime.HandlerFunc) runtime.HandlerFunc {
	var once sync.Once
	var m *method // of the path that next serves
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		once.Do(func() {
			if pattern, ok := runtime.HTTPPattern(r.Context()); ok {
				m = h.methods[pattern.String()]
			}
		})
		c := callOf(r.Context())
		if m == nil || c == nil {
			writeError(w, errInternal())
			return
		}
		c.method = m
		if err := c.checkVerb(w); err != nil {
			writeError(w, err)
			return
		}
		if err := c.checkParameters(r); err != nil {
			h.handleError(r.Context(), nil, nil, w, r, err)
			return
		}
		next(w, r, params)
	}
}

// checkVerb checks that the method has the verb of the request.
func (c *call) checkVerb(w http.ResponseWriter) error {
	m := c.method
	switch {
	case c.posted:
	case m.post && c.verb != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet+", "+http.MethodPost)
		return errMethod()
	case m.stream && c.verb != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		return errMethod()
	case !c.reads():
		return errMethod()
	}
	return nil
}

// checkParameters checks the query parameters against the fields of the method, and chooses the media type of the answer.
func (c *call) checkParameters(r *http.Request) error {
	if c.http.Unreadable != nil {
		return c.http.Unreadable
	}
	m := c.method
	var err error
	if c.http.Fields, err = takeFields(r.Form); err != nil {
		return err
	}
	if c.clientNames, err = m.checkQuery(r.Form, c.posted); err != nil {
		return err
	}
	c.sse = c.sse && m.stream && !m.download
	if !c.sse {
		return nil
	}
	r.Header["Accept"] = valueSSE // the mux chooses the marshaler by it
	if field := m.request.Fields().ByName(resumeField); field != nil && c.lastEvent != "" {
		// The id is newer than the token of the URL, which a browser sends again unchanged.
		delete(r.Form, field.JSONName())
		r.Form[string(resumeField)] = []string{c.lastEvent}
		c.clientNames[resumeField], c.http.Reconnect = "last-event-id", true
	}
	return nil
}

// takeFields takes the selection of fields out of the query parameters. Several are joined.
func takeFields(values url.Values) (string, error) {
	given, ok := values[callinfo.FieldsParameter]
	if !ok {
		return "", nil
	}
	delete(values, callinfo.FieldsParameter)
	fields := strings.Join(given, ",")
	switch {
	case fields == "":
		return "", apierror.Invalid(callinfo.FieldsParameter, "is empty; name fields, or leave it out")
	case len(fields) > maxFields:
		return "", apierror.Invalid(callinfo.FieldsParameter, "is too long: at most "+strconv.Itoa(maxFields)+" characters")
	}
	return fields, nil
}

// maxFields is how long a selection of fields may be.
const maxFields = 8192

func errInternal() error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
}
