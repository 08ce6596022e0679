package parley

import (
	"context"
	"log/slog"

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

// watchCredential watches the file of a tenant's credential, if it has one: the application's own logins and those on behalf of users read it, each for
// itself.
func (r *reloads) watchCredential(clients graphClients) {
	if !auth.OfFile(clients.credential) {
		return
	}
	r.stats.Loaded(metrics.FilesCredentials)
	r.watcher.Add(credentialFile{r, clients})
}

// credentialFile is the file of a tenant's credential.
type credentialFile struct {
	reloads *reloads
	clients graphClients
}

// Look implements reload.Looker. A change of the file is one change, whoever reads it.
func (l credentialFile) Look() {
	changed, err := auth.Reload(l.clients.credential)
	if l.clients.delegates != nil {
		if unusable := l.clients.delegates.Reload(); err == nil {
			err = unusable
		}
	}
	if changed {
		l.reloads.report(metrics.FilesCredentials, err)
	}
}
