package cli

import (
	"context"
	"errors"
	"net/url"
	"text/template"
	"time"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

type demoVerb struct {
	config.Simulator `embed:""`
	config.Demo      `embed:""`
}

// Run starts the simulator and a gateway that signs in to it with a client secret, as it would to Entra.
func (v *demoVerb) Run(ctx context.Context, to streams, origins config.Origins) (err error) {
	sim, err := startSim(ctx, config.Simulation{Simulator: v.Simulator}, origins)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSim(sim)) }()
	files, err := newScratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.close()) }()
	settings, err := v.settings(sim, files)
	if err != nil {
		return err
	}
	settings.SetOrigins(origins)
	if err := settings.Check(); err != nil {
		return usageError{err}
	}
	hangups, ignore := onHangup()
	defer ignore()
	logger, release := newLogger(&settings, to.err)
	defer release()
	defer redirectStdLog(logger)()
	own := parley.Config{Logger: logger, ExampleUser: sim.DemoUser().ID}
	traced, err := traceTo(ctx, &own)
	if err != nil {
		return usageError{err}
	}
	defer traced()
	running, err := start(ctx, &settings, own)
	if err != nil {
		return err
	}
	user, at := sim.DemoUser(), running.Addrs()
	page := welcome
	if v.Auth {
		page = welcomeAuth
	}
	if err := page.Execute(to.out, map[string]any{
		"HTTP": at.HTTP, "GRPC": at.GRPC, "Admin": at.Admin, "Sim": sim.URL(),
		"Name": user.Name, "ID": user.ID, "UPN": url.PathEscape(user.UPN),
		"Explorer": v.Explorer == "on", "Audit": v.auditPlace(), "Start": time.Now().UTC().AddDate(0, 0, -29).Format("2006-01-02T00:00:00Z"),
	}); err != nil {
		return errors.Join(err, stop(running))
	}
	return serveUntil(ctx, running, hangups)
}

// settings returns the settings that a user of a real tenant would have, with the simulator as Graph and Entra.
func (v *demoVerb) settings(sim *graphsim.Sim, files scratch) (config.Settings, error) {
	secret, noSecret := files.write("client-secret", []byte(graphsim.DemoClientSecret))
	authority, noAuthority := files.write("ca.pem", sim.CACertPEM())
	if err := errors.Join(noSecret, noAuthority); err != nil {
		return config.Settings{}, err
	}
	settings, err := config.Defaults()
	if err != nil {
		return settings, err
	}
	settings.GRPCAddr, settings.HTTPAddr, settings.AdminAddr = v.GRPCAddr, v.HTTPAddr, v.AdminAddr
	settings.LogLevel, settings.LogFormat, settings.CORSOrigins = v.LogLevel, v.LogFormat, v.CORS
	settings.Explorer = v.Explorer
	settings.GraphURL, settings.GraphAuthorityURL, settings.GraphCAFile = sim.URL(), sim.URL(), authority
	settings.GraphCredential, settings.GraphClientSecretFile = "client-secret", secret
	settings.GraphTenantID, settings.GraphClientID = graphsim.DemoTenantID, graphsim.DemoClientID
	err = v.setSecurity(&settings, sim, files)
	return settings, err
}

//nolint:gochecknoglobals // a constant in all but type
var welcome = template.Must(template.New("welcome").Parse(`Parley is ready, over a simulated tenant.

  REST       http://{{.HTTP}}/v1/users
  docs       http://{{.HTTP}}/docs
{{- if .Explorer}}
  explorer   http://{{.HTTP}}/explorer
{{- end}}
  gRPC       {{.GRPC}} (plaintext, with reflection)
  metrics    http://{{.Admin}}/metrics
  simulator  {{.Sim}}
  demo user  {{.Name}}, {{.ID}}

Five to try, from another shell in this folder:

  curl 'http://{{.HTTP}}/v1/users/{{.ID}}/conversations?pageSize=3'
  curl 'http://{{.HTTP}}/v1/users/{{.UPN}}/events?startTime={{.Start}}&sources=SOURCE_COPILOT&pageSize=5'
  curl -N 'http://{{.HTTP}}/v1/users/{{.ID}}/events:stream?startTime={{.Start}}'
  curl 'http://{{.HTTP}}/v1/copilotUsage:download?period=D7'
  go tool -modfile=tools/go.mod grpcurl -plaintext -d '{"parent":"users/{{.ID}}","sources":["SOURCE_CALL"],"page_size":3}' {{.GRPC}} parley.v1.EventService/ListEvents

Ctrl-C ends it.
`))
