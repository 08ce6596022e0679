package verbs

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/parley-gateway/parley/graphsim"
)

// simFlags are the flags that `sim` and `demo` share.
type simFlags struct {
	SimAddr   string `name:"sim-addr" env:"PARLEY_SIM_ADDR" default:"127.0.0.1:8090" group:"Simulator" help:"Where the simulator is served, host:port; loopback only."`
	Seed      uint64 `name:"seed" default:"1" group:"Simulator" help:"Chooses the data; the same seed gives the same tenant."`
	Users     int    `name:"users" group:"Simulator" help:"Least number of users; 0 = the default size."`
	Messages  int    `name:"messages" group:"Simulator" help:"Least number of chat messages; 0 = the default size."`
	FaultFile string `name:"faults" type:"path" group:"Simulator" help:"YAML or JSON file of faults to rehearse; see docs/graphsim.md."`
	Throttle  bool   `name:"throttle" group:"Simulator" help:"Enforce Graph's published request limits."`
}

func (f *simFlags) start(ctx context.Context, plain bool) (*graphsim.Sim, error) {
	cfg := graphsim.Config{
		Addr: f.SimAddr, Seed: f.Seed, Users: f.Users, Messages: f.Messages, Plain: plain, Throttle: f.Throttle, Notes: 3,
	}
	if f.FaultFile != "" {
		faults, err := graphsim.LoadFaults(f.FaultFile)
		if err != nil {
			return nil, usageError{fmt.Errorf("--faults: %w", err)}
		}
		cfg.Faults = faults
	}
	sim, err := graphsim.New(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	if err := sim.Start(ctx); err != nil {
		return nil, usageError{fmt.Errorf("PARLEY_SIM_ADDR: %w", err)}
	}
	return sim, nil
}

type simVerb struct {
	simFlags `embed:""`

	Plain  bool   `name:"plain" help:"Serve plain HTTP and admit requests without a token, for PARLEY_GRAPH_CREDENTIAL=none."`
	CAFile string `name:"ca-file" type:"path" help:"Write the certificate authority of this run into this file, for PARLEY_GRAPH_CA_FILE."`
}

// Run serves the simulator until ctx ends.
func (v *simVerb) Run(ctx context.Context, to streams) (err error) {
	sim, err := v.start(ctx, v.Plain)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSim(sim)) }()
	if v.CAFile != "" {
		if err := os.WriteFile(v.CAFile, sim.CACertPEM(), 0o600); err != nil {
			return usageError{fmt.Errorf("--ca-file: %w", err)}
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
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	return sim.Close(ctx)
}
