package parley

import (
	"context"
	"log/slog"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/reload"
)

// reloads watches the files of the configuration. It logs and counts each change of one, and whether the change came into force.
type reloads struct {
	watcher *reload.Watcher
	log     *slog.Logger
	stats   *metrics.Metrics
}

// options returns the options of a value that is made from files. The log and the metrics name the files by the word what.
func (r *reloads) options(what string) reload.Options {
	return reload.Options{Watcher: r.watcher, Loaded: func() { r.stats.Loaded(what) }, Report: func(err error) { r.report(what, err) }}
}

// report logs and counts a change of files. err says why the changed ones cannot be used, nil = they are in force.
func (r *reloads) report(what string, err error) {
	r.stats.Reload(what, err == nil)
	if err != nil {
		r.log.LogAttrs(context.Background(), slog.LevelError, "a changed file cannot be used, what was loaded before stays in force",
			slog.String("what", what), slog.Any("error", err))
		return
	}
	r.log.LogAttrs(context.Background(), slog.LevelInfo, "a changed file is in force", slog.String("what", what))
}

// credential watches the file of a tenant's credential, if it has one.
func (r *reloads) credential(credential azcore.TokenCredential) {
	if !auth.OfFile(credential) {
		return
	}
	r.stats.Loaded(metrics.FilesCredentials)
	r.watcher.Add(credentialFile{r, credential})
}

// credentialFile is the file of a credential.
type credentialFile struct {
	reloads    *reloads
	credential azcore.TokenCredential
}

// Look implements reload.Looker.
func (c credentialFile) Look() {
	if changed, err := auth.Look(c.credential); changed {
		c.reloads.report(metrics.FilesCredentials, err)
	}
}
