package cli

import (
	"bytes"
	"os"
	"slices"
	"text/template"

	"github.com/parley-gateway/parley/docs/policies"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

// setSecurity adds the place of the audit records and, with --auth, the settings of a deployment with authentication: the simulated
// directory as issuer and the handbook's policies.
func (v *demoVerb) setSecurity(settings *config.Settings, sim *graphsim.Sim, files scratch) (err error) {
	settings.AuditFile = v.AuditFile
	if !v.Auth {
		if settings.AuditFile == "" {
			settings.AuditFile = os.DevNull
		}
		return nil
	}
	settings.AuthMode, settings.OIDCIssuer, settings.OIDCAudience = "oidc", sim.CallerIssuer(), graphsim.DemoAudience
	settings.OIDCCAFile = settings.GraphCAFile
	// One file with both of the handbook's policies: the rules of the second are appended to those of the first.
	_, rules, _ := bytes.Cut(policies.OnBehalfOf(), []byte("\nrules:\n"))
	settings.PolicyFile, err = files.write("policy.yaml", slices.Concat(policies.EntraAppRoles(), []byte("\n"), rules))
	return err
}

// auditPlace says where the audit records go.
func (v *demoVerb) auditPlace() string {
	if v.AuditFile == "" {
		return "on standard error, here"
	}
	return v.AuditFile
}

//nolint:gochecknoglobals // a constant in all but type
var welcomeAuth = template.Must(template.New("auth").Parse(`Parley is ready, over a simulated tenant, and asks who calls.

  REST       http://{{.HTTP}}/v1/users/me/conversations
  docs       http://{{.HTTP}}/docs
{{- if .Explorer}}
  explorer   http://{{.HTTP}}/explorer
{{- end}}
  gRPC       {{.GRPC}} (plaintext; reflection is off)
  metrics    http://{{.Admin}}/metrics
  simulator  {{.Sim}}, which issues access tokens to whoever asks
  demo user  {{.Name}}, {{.ID}}
  policy     docs/policies/entra-app-roles.yaml, on-behalf-of.yaml
  audit      {{.Audit}}

Sign in as the demo user, as an export job, as the demo user whom Graph is to see, and as nobody, from another shell:

  user=$(curl -sk '{{.Sim}}/_sim/token?user={{.ID}}')
  job=$(curl -sk '{{.Sim}}/_sim/token?role=Conversations.Export.All')
  self=$(curl -sk '{{.Sim}}/_sim/token?user={{.ID}}&scope=Chats.AsUser')

  curl -H "Authorization: Bearer $user" 'http://{{.HTTP}}/v1/users/me/conversations?pageSize=3'
  curl -H "Authorization: Bearer $job" 'http://{{.HTTP}}/v1/users/{{.ID}}/events?startTime={{.Start}}&pageSize=5'
  curl -H "Authorization: Bearer $self" 'http://{{.HTTP}}/v1/users/me/conversations?pageSize=3&view=EVENT_VIEW_FULL'   # with their own read marks
  curl -H "Authorization: Bearer $user" 'http://{{.HTTP}}/v1/users'   # everybody: 403, and on record
  curl 'http://{{.HTTP}}/v1/users/me/conversations'   # nobody: 401

Ctrl-C ends it.
`))
