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
		member("token_endpoint", authority+"/oauth2/v2.0/token"),
		member("token_endpoint_auth_methods_supported", []string{"client_secret_post", "private_key_jwt", "client_secret_basic"}),
		member("jwks_uri", authority+"/discovery/v2.0/keys"),
		member("issuer", authority+"/v2.0"),
		member("authorization_endpoint", authority+"/oauth2/v2.0/authorize"),
		member("response_types_supported", []string{"code", "id_token", "token"}),
		member("subject_types_supported", []string{"pairwise"}),
		member("id_token_signing_alg_values_supported", []string{"RS256"}),
		member("tenant_region_scope", "EU"),
		member("cloud_instance_name", "microsoftonline.com"),
		member("msgraph_host", "graph.microsoft.com"),
	}
}

// Body is the answer of the endpoint, with the ids of the request and the time of the answer.
func (e *Error) Body(requestID, correlationID string, now time.Time) data.Object {
	at := now.UTC().Format("2006-01-02 15:04:05Z")
	answer := data.Object{
		member("error", e.Code),
		member("error_description", "AADSTS"+strconv.Itoa(e.Number)+": "+e.Text+" Trace ID: "+requestID+" Correlation ID: "+correlationID+" Timestamp: "+at),
		member("error_codes", []string{strconv.Itoa(e.Number)}),
		member("timestamp", at),
		member("trace_id", requestID),
		member("correlation_id", correlationID),
	}
	if e.Suberror != "" {
		answer = append(answer, member("suberror", e.Suberror))
	}
	if e.Claims != "" {
		answer = append(answer, member("claims", e.Claims))
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

func member(name string, value any) data.Field { return data.Field{Key: name, Value: value} }
