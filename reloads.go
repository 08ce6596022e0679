package parley

import (
	"context"
	"log/slog"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/reload"
)

// reloads watches the files of the configuration, and logs and counts what becomes of changed ones.
type reloads struct {
	watcher *reload.Watcher
	log     *slog.Logger
	gauges  *metrics.Metrics
}

// options are those of a value that is made from files; what names them in the log and in metrics.
func (r *reloads) options(what string) reload.Options {
	return reload.Options{Watcher: r.watcher, Loaded: func() { r.gauges.Loaded(what) }, Report: func(err error) { r.report(what, err) }}
}

// report tells of a changed file. A file that cannot be used is named; what was loaded before stays in force.
func (r *reloads) report(what string, err error) {
	r.gauges.Reload(what, err == nil)
	if err != nil {
		r.log.LogAttrs(context.Background(), slog.LevelError, "a changed file cannot be used, what was loaded before stays in force",
			slog.String("what", what), slog.Any("error", err))
		return
	}
	r.log.LogAttrs(context.Background(), slog.LevelInfo, "a changed file is in force", slog.String("what", what))
}

// credential watches the file of a login, if it has one.
func (r *reloads) credential(login azcore.TokenCredential) {
	if !auth.OfFile(login) {
		return
	}
	r.gauges.Loaded(metrics.FilesCredentials)
	r.watcher.Add(credentialFile{r, login})
}

// credentialFile is the file of a login.
type credentialFile struct {
	reloads *reloads
	login   azcore.TokenCredential
}

// Look implements reload.Looker.
func (c credentialFile) Look() {
	if changed, err := auth.Look(c.login); changed {
		c.reloads.report(metrics.FilesCredentials, err)
	}
}
