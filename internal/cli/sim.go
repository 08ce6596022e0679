package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/internal/config"
)

// startSim starts the simulator that the settings describe.
func startSim(ctx context.Context, f config.Simulation, origins config.Origins) (*graphsim.Sim, error) {
	cfg := graphsim.Config{
		Addr: f.SimAddr, Seed: f.Seed, Users: f.Users, Messages: f.Messages, Chats: f.Chats, Calls: f.Calls, Plain: f.Plain, Throttle: f.Throttle, Notes: 3, NewlyLicensed: 2,
	}
	if f.FaultFile != "" {
		planned, err := faults.Load(f.FaultFile)
		if err != nil {
			return nil, usageError{origins.Errorf("faults", "%w", err)}
		}
		cfg.Faults = planned
	}
	sim, err := graphsim.New(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	if err := sim.Start(ctx); err != nil {
		return nil, usageError{origins.Errorf("sim-addr", "%w", err)}
	}
	return sim, nil
}

type simVerb struct {
	config.Simulation `embed:""`
}

// Run serves the simulator until ctx ends.
func (v *simVerb) Run(ctx context.Context, to streams, origins config.Origins) (err error) {
	sim, err := startSim(ctx, v.Simulation, origins)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSim(sim)) }()
	if v.CAFile != "" {
		if err := os.WriteFile(v.CAFile, sim.CACertPEM(), 0o600); err != nil {
			return usageError{origins.Errorf("ca-file", "%w", err)}
		}
	}
	if _, err := fmt.Fprintf(to.out, "Microsoft Graph simulator: %s\nreport downloads: %s\ntenant: %s\nclient id: %s\n",
		sim.URL(), sim.ReportURL(), graphsim.DemoTenantID, graphsim.DemoClientID); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func closeSim(sim *graphsim.Sim) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return sim.Close(ctx)
}
