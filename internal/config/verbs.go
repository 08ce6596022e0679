package config

// Listeners are the addresses of the gateway, for verbs that take few of its other settings.
type Listeners struct {
	GRPCAddr  string `name:"grpc-addr" env:"PARLEY_GRPC_ADDR" default:"127.0.0.1:9090" group:"Listeners" help:"Where gRPC is served, host:port."`
	HTTPAddr  string `name:"http-addr" env:"PARLEY_HTTP_ADDR" default:"127.0.0.1:8080" group:"Listeners" help:"Where REST and /docs are served, host:port."`
	AdminAddr string `name:"admin-addr" env:"PARLEY_ADMIN_ADDR" default:"127.0.0.1:9091" group:"Listeners" help:"Where metrics are served, host:port."`
}

// Demo has the settings of the verb demo in addition to those of Simulator.
type Demo struct {
	Listeners `embed:""`

	CORS      string `name:"cors-origins" env:"PARLEY_CORS_ORIGINS" default:"loopback" group:"Security" help:"Web origins whose pages may read answers, separated by commas; loopback = pages that this machine serves, on any port."`
	Auth      bool   `name:"auth" group:"Security" help:"Ask callers for access tokens of the simulated directory, apply a policy, and record who reads what."`
	Explorer  string `name:"explorer" env:"PARLEY_EXPLORER" default:"on" enum:"on,off" group:"Security" help:"The explorer at /explorer: on or off."`
	AuditFile string `name:"audit-file" env:"PARLEY_AUDIT_FILE" type:"path" group:"Security" help:"File that audit records are appended to; unset = standard error with --auth, else none are kept."`
	LogLevel  string `name:"log-level" env:"PARLEY_LOG_LEVEL" default:"warn" enum:"debug,info,warn,error" group:"Logs" help:"Least level that is logged: debug, info, warn, error."`
	LogFormat string `name:"log-format" env:"PARLEY_LOG_FORMAT" default:"text" enum:"text,json" group:"Logs" help:"Form of log lines on standard error: text or json."`
}

// Simulator has the settings of the simulator that the verbs demo and sim share.
type Simulator struct {
	SimAddr   string `name:"sim-addr" env:"PARLEY_SIM_ADDR" default:"127.0.0.1:8090" group:"Simulator" help:"Where the simulator is served, host:port; loopback only."`
	Seed      uint64 `name:"seed" default:"1" group:"Simulator" help:"Chooses the data; the same seed gives the same tenant."`
	Users     int    `name:"users" group:"Simulator" help:"Least number of users; 0 = the default size."`
	Messages  int    `name:"messages" group:"Simulator" help:"Least number of chat messages; 0 = the default size."`
	Chats     int    `name:"chats" group:"Simulator" help:"Least number of chats; meetings, and their calls, are some of them; 0 = the default size."`
	Calls     int    `name:"calls" group:"Simulator" help:"Least number of calls in 30 days; 0 = the default size."`
	FaultFile string `name:"faults" type:"path" group:"Simulator" help:"YAML or JSON file of faults to rehearse; see docs/graphsim.md."`
	Throttle  bool   `name:"throttle" group:"Simulator" help:"Enforce Graph's published request limits."`
}

// Simulation has the settings of the verb sim, which runs the simulator alone.
type Simulation struct {
	Simulator `embed:""`

	Plain  bool   `name:"plain" help:"Serve plain HTTP and admit requests without a token, for PARLEY_GRAPH_CREDENTIAL=none."`
	CAFile string `name:"ca-file" type:"path" help:"Write the certificate authority of this run into this file, for PARLEY_GRAPH_CA_FILE."`
}

// Healthcheck has the settings of the verb healthcheck.
type Healthcheck struct {
	HTTPAddr    string `name:"http-addr" env:"PARLEY_HTTP_ADDR" default:"127.0.0.1:8080" help:"REST address of the gateway, host:port."`
	TLSCertFile string `name:"tls-cert-file" env:"PARLEY_TLS_CERT_FILE" type:"path" help:"Certificate of the gateway; with it, readiness is asked over TLS and of this certificate alone."`
}
