package rest

import (
	"math"
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/server/wirejson"
)

const jsonType = "application/json"

// writeError answers with a google.rpc.Status as JSON.
func writeError(w http.ResponseWriter, err error) {
	st := fault.Complete(status.Convert(err))
	header := w.Header()
	header.Set("Content-Type", jsonType)
	header.Del("Content-Disposition")
	boundWrite(w)
	if wait := fault.RetryDelay(st); wait > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if st.Code() == codes.Unauthenticated {
		header.Set("WWW-Authenticate", challenge(st))
	}
	code := fault.HTTPStatus(st)
	if code == http.StatusMethodNotAllowed {
		header.Set("Allow", http.MethodGet)
	}
	w.WriteHeader(code)
	body := appendStatus(nil, st)
	_, _ = w.Write(append(body, '\n')) // the client is gone if this fails
}

// challenge is what a caller without an accepted credential is told (RFC 6750); one whose token lacks claims is told which,
// as Entra's clients read it.
func challenge(st *status.Status) string {
	claims := fault.Info(st).GetMetadata()[fault.MetaClaims]
	if claims == "" {
		return "Bearer"
	}
	return `Bearer error="insufficient_claims", claims="` + claims + `"`
}

// appendStatus appends the JSON of a google.rpc.Status.
func appendStatus(b []byte, st *status.Status) []byte {
	out, err := wirejson.Append(b, st.Proto())
	if err != nil {
		return append(b, `{"code":13,"message":"the error could not be written"}`...)
	}
	return out
}

func errMethod() error {
	return &fault.Error{Code: codes.Unimplemented, Reason: fault.ReasonMethodNotAllowed, Message: "this API is read with GET"}
}

func errTimeout() error {
	return fault.Invalid("grpc-timeout", "must be up to 8 digits and one of H, M, S, m, u, n")
}

func errPath() error {
	return &fault.Error{Code: codes.NotFound, Reason: fault.ReasonNotFound, Message: "there is no such path; /docs lists those there are"}
}

// NotFound answers a request outside the API that nothing takes, in the form of the API's errors.
func NotFound(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		writeError(w, errMethod())
		return
	}
	writeError(w, errPath())
}

// WrongHost refuses a request whose Host header does not name this machine.
func WrongHost(w http.ResponseWriter, _ *http.Request) {
	writeError(w, &fault.Error{
		Code: codes.PermissionDenied, Reason: fault.ReasonPolicyDenied,
		Message: "without authentication the gateway answers to 127.0.0.1, [::1] and localhost only",
	})
}
