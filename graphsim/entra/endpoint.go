package entra

import (
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// Error is an error of the token endpoint in OAuth's shape with Entra's codes.
type Error struct {
	Status int
	Code   string
	Number int
	Text   string
	// Suberror and Claims are members that some refusals of users have.
	Suberror, Claims string
}

// Discovery is the OpenID configuration of an authority, which is given without a slash at its end.
func Discovery(authority string) data.Object {
	return data.Object{
		data.Member("token_endpoint", authority+"/oauth2/v2.0/token"),
		data.Member("token_endpoint_auth_methods_supported", []string{"client_secret_post", "private_key_jwt", "client_secret_basic"}),
		data.Member("jwks_uri", authority+"/discovery/v2.0/keys"),
		data.Member("issuer", authority+"/v2.0"),
		data.Member("authorization_endpoint", authority+"/oauth2/v2.0/authorize"),
		data.Member("response_types_supported", []string{"code", "id_token", "token"}),
		data.Member("subject_types_supported", []string{"pairwise"}),
		data.Member("id_token_signing_alg_values_supported", []string{"RS256"}),
		data.Member("tenant_region_scope", "EU"),
		data.Member("cloud_instance_name", "microsoftonline.com"),
		data.Member("msgraph_host", "graph.microsoft.com"),
	}
}

// Body is the answer of the endpoint, with the ids of the request and the time of the answer.
func (e *Error) Body(requestID, correlationID string, now time.Time) data.Object {
	at := now.UTC().Format("2006-01-02 15:04:05Z")
	answer := data.Object{
		data.Member("error", e.Code),
		data.Member("error_description", "AADSTS"+strconv.Itoa(e.Number)+": "+e.Text+" Trace ID: "+requestID+" Correlation ID: "+correlationID+" Timestamp: "+at),
		data.Member("error_codes", []string{strconv.Itoa(e.Number)}),
		data.Member("timestamp", at),
		data.Member("trace_id", requestID),
		data.Member("correlation_id", correlationID),
	}
	if e.Suberror != "" {
		answer = append(answer, data.Member("suberror", e.Suberror))
	}
	if e.Claims != "" {
		answer = append(answer, data.Member("claims", e.Claims))
	}
	return answer
}

// AudienceOf is the resource of a scope that ends with /.default; empty for none.
func AudienceOf(scopes string) string {
	for scope := range strings.FieldsSeq(scopes) {
		if a, ok := strings.CutSuffix(scope, "/.default"); ok {
			return strings.TrimSuffix(a, "/")
		}
	}
	return ""
}
