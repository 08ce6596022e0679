package rest

import (
	"bytes"
	"math"
	"net/http"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
)

// writeError answers with an error.
func writeError(w http.ResponseWriter, err error) {
	writeStatus(w, apierror.Complete(status.Convert(err)))
}

// writeStatus answers with an error of the contract.
func writeStatus(w http.ResponseWriter, st *status.Status) {
	header := w.Header()
	header.Set("Content-Type", jsonType)
	header["Cache-Control"] = valueNoStore
	for _, name := range [...]string{"Content-Disposition", "Content-Encoding", "Etag"} {
		header.Del(name)
	}
	boundWrite(w)
	if wait := apierror.RetryDelay(st); wait > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if st.Code() == codes.Unauthenticated {
		header.Set("WWW-Authenticate", challenge(st))
	}
	httpStatus := apierror.HTTPStatus(st)
	if httpStatus == http.StatusMethodNotAllowed && header.Get("Allow") == "" {
		header.Set("Allow", http.MethodGet+", "+http.MethodHead)
	}
	w.WriteHeader(httpStatus)
	body := appendStatus(nil, st)
	_, _ = w.Write(append(body, '\n')) // the client is gone if this fails
}

// challenge returns the WWW-Authenticate header of a caller without an accepted credential (RFC 6750). A caller whose token lacks
// claims gets them in the form that Entra's clients read.
func challenge(st *status.Status) string {
	claims := apierror.Info(st).GetMetadata()[apierror.MetaClaims]
	if claims == "" {
		return "Bearer"
	}
	return `Bearer error="insufficient_claims", claims="` + claims + `"`
}

// appendStatus appends the JSON of an error: a google.rpc.Status with the name of its code and the reason of its ErrorInfo
// beside the code.
func appendStatus(b []byte, st *status.Status) []byte {
	plain := st.Proto()
	b = append(b, `{"code":`...)
	b = strconv.AppendInt(b, int64(plain.GetCode()), 10)
	b = append(b, `,"status":"`...)
	b = append(b, code.Code(plain.GetCode()).String()...)
	b = append(b, `","reason":"`...)
	b = append(b, apierror.Reason(st)...)
	b = append(b, '"')
	// The rest of the google.rpc.Status follows; details are written even if there are none.
	rest, err := wirejson.Marshal(plain)
	_, rest, found := bytes.Cut(rest, []byte(`,"message":`))
	if err != nil || !found {
		return append(b, `,"message":"the error could not be written","details":[]}`...)
	}
	b = append(append(b, `,"message":`...), rest...)
	if len(plain.GetDetails()) == 0 {
		b = append(b[:len(b)-1], `,"details":[]}`...)
	}
	return b
}

func errMethod() error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_METHOD_NOT_ALLOWED)
}

func errTimeout() error {
	return apierror.Invalid("grpc-timeout", "must be up to 8 digits and one of H, M, S, m, u, n")
}

func errPath() error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND, "there is no such path; /docs lists those there are")
}

// NotFound answers a request for an unknown path in the form of the API's errors.
func NotFound(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		writeError(w, errMethod())
		return
	}
	writeError(w, errPath())
}

// WrongHost refuses a request whose Host header does not name this machine.
func WrongHost(w http.ResponseWriter, _ *http.Request) {
	writeError(w, apierror.New(parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED,
		"without authentication the gateway answers to 127.0.0.1, [::1] and localhost only"))
}
