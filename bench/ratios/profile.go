package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
)

// profiler writes a CPU profile of each contender's first round behind the one that warms up: of the other process where
// there is one, else of this one. Profiled rounds are not measured.
type profiler struct {
	folder string
	client *http.Client
	server string // of serveProfile
}

// profiledRounds is how often a contender runs for its profile.
const profiledRounds = 4

// round runs a contender a few times more under a profile; without a folder it does nothing.
func (p *profiler) round(c *contender) error {
	if p == nil || p.folder == "" {
		return nil
	}
	run := func() error {
		for range profiledRounds {
			if _, err := c.run(); err != nil {
				return err
			}
		}
		return nil
	}
	var profile []byte
	var err error
	if c.elsewhere != nil {
		if _, err = fetch(p.client, p.server+"/profile?start"); err == nil {
			err = run()
		}
		if err == nil {
			profile, err = fetch(p.client, p.server+"/profile")
		}
	} else {
		var b bytes.Buffer
		if err = pprof.StartCPUProfile(&b); err == nil {
			err = run()
			pprof.StopCPUProfile()
			profile = b.Bytes()
		}
	}
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	name := strings.NewReplacer(" ", "-", ",", "", "/", "-").Replace(c.name) + ".pprof"
	if err := os.WriteFile(filepath.Join(p.folder, name), profile, 0o600); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return nil
}

// profiled is the profile of this process that is being taken.
type profiled struct {
	mu sync.Mutex
	b  *bytes.Buffer
}

// serve starts a profile, or stops it and answers with it.
func (p *profiled) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	switch {
	case r.URL.Query().Has("start"):
		p.b = &bytes.Buffer{}
		err = pprof.StartCPUProfile(p.b)
	case p.b == nil:
		err = errors.New("no profile was started")
	default:
		pprof.StopCPUProfile()
		_, err = w.Write(p.b.Bytes())
		p.b = nil
	}
	if err == nil {
		return
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
