package graphsim

import (
	"crypto/rsa"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/entra"
	"github.com/parley-gateway/parley/graphsim/faults"
)

// Defaults of [Config].
const (
	DefaultUsers        = 40
	DefaultChats        = 240
	DefaultMessages     = 21_000
	DefaultInteractions = 2_200
	DefaultCalls        = 540
	DefaultDays         = 180

	// DemoTenantID, DemoClientID and DemoClientSecret are the tenant and the app of an empty Config.Tenants. The
	// secret opens nothing but a simulator.
	DemoTenantID     = "5f3c1f6e-2a7b-4d1c-9a55-0c6d2f7e8b10"
	DemoClientID     = "c0a8d9d2-6b1f-4f0e-8e57-3d2b9a417f66"
	DemoClientSecret = "graphsim-demo-secret"
)

// Config describes one simulator. The zero value is a working demonstration tenant.
type Config struct {
	// Addr is the Graph listener, host:port; empty = "127.0.0.1:0". Only loopback addresses are accepted.
	Addr string
	// ReportAddr is the report download listener; empty = a free port on Addr's host.
	ReportAddr string
	// Seed chooses the data. Same seed, sizes and day: same data.
	Seed uint64
	// Users, Chats, Messages, Interactions and Calls are the least numbers of records per tenant; 0 = the default.
	// Messages and Interactions spread over Days, Calls over the last 30 days.
	Users, Chats, Messages, Interactions, Calls int
	// Notes is how many users, from the first on, have written to themselves: in the thread 48:notes, which each of them has
	// under that id and which is no chat. 0 = nobody.
	Notes int
	// Days is how far back messages and interactions reach; 0 = DefaultDays.
	Days int
	// Now is the simulator's clock; nil = time.Now. Records later than it do not exist yet, and appear as it goes on.
	Now func() time.Time
	// StandsAt is an instant at which the clock of the records stands still until [Sim.SetClock] moves it, so that no record appears
	// between two readings; the zero time = it goes on. Tokens, limits and faults keep the time of Now.
	StandsAt time.Time
	// Tenants are the directories served; empty = one demo tenant with one app that holds DefaultRoles.
	Tenants []Tenant
	// Plain serves HTTP without TLS, and requests without a token see the first tenant with every role.
	Plain bool
	// Logger receives one debug line per request, without query values; nil = silence.
	Logger *slog.Logger
	// Faults are in force from the start; see [Sim.SetFaults].
	Faults []faults.Fault
	// Throttle enforces the published limits of the service, answering 429; off by default.
	Throttle bool
	// TokenLifetime is how long an access token is valid; 0 = 1 hour.
	TokenLifetime time.Duration
	// SigningKey signs access tokens; nil = a key that is made when the first token is asked for. Simulators of one test binary share
	// one, because making it takes longer than most tests.
	SigningKey *rsa.PrivateKey
	// ReportLinkLifetime is how long a report download URL works; 0 = 120 s.
	ReportLinkLifetime time.Duration
	// Steady turns off the occasional repeated row at a page border and the occasional empty page with a link.
	Steady bool
	// MessagePageSize and InteractionPageSize apply where a request has no $top; 0 = 50 and 10. MaxTop caps $top of
	// both exports, larger values are cut; 0 = 1000.
	MessagePageSize, InteractionPageSize, MaxTop int
	// CallPageSize is the page of the call record list; 0 = 60. SessionPageSize 0 = 60, ParticipantPageSize 0 = 130.
	CallPageSize, SessionPageSize, ParticipantPageSize int
	// ChatPageSize is the page of the chat list without $top; 0 = 20. ReportPageSize is the page of the JSON report; 0 = 200.
	ChatPageSize, ReportPageSize int
	// RefuseCallFilterCombination makes the call record list refuse interval and participant in one $filter.
	RefuseCallFilterCombination bool
	// IgnoreCallParticipant makes the call record list send the calls of everybody, whatever participant is asked for.
	IgnoreCallParticipant bool
	// ConcealNames replaces names in the usage report, as the tenant's report setting does.
	ConcealNames bool
	// NewlyLicensed is how many users have their Copilot licence since today, so that the usage reports do not know them yet.
	NewlyLicensed int
	// ReportsMoved makes the /beta/reports path of the usage report unknown, as tenants began to see in 2026.
	ReportsMoved bool
}

// Tenant is one directory. Its data is separate from every other tenant's.
type Tenant struct {
	// ID is the directory's GUID.
	ID string
	// Apps are the applications registered in it.
	Apps []App
}

// Applications of a directory.
type (
	// App is an application registration.
	App = entra.App
	// Federated is a federated identity credential of an application.
	Federated = entra.Federated
)

// DefaultRoles are the application permissions that the five sources need.
func DefaultRoles() []string { return entra.DefaultRoles() }

// DefaultScopes are the delegated permissions that an application has consent for unless it says otherwise.
func DefaultScopes() []string { return entra.DefaultScopes() }

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// checkNumbers refuses numbers of a complete configuration that no tenant can be made of.
func (c Config) checkNumbers() error {
	switch {
	case c.Users < 3:
		return fmt.Errorf("graphsim: Users is %d, at least 3 are needed for a group chat", c.Users)
	case c.Notes > c.Users:
		return fmt.Errorf("graphsim: Notes is %d, more than there are Users", c.Notes)
	case c.Users > data.MaxIndex || c.Chats > data.MaxIndex:
		return fmt.Errorf("graphsim: Users and Chats may be at most %d", data.MaxIndex)
	case c.Days > 3650:
		return fmt.Errorf("graphsim: Days is %d, at most 3650", c.Days)
	default:
		return nil
	}
}

// withDefaults returns the complete configuration: each zero value is replaced by its default.
func (c Config) withDefaults() (Config, error) {
	for name, v := range map[string]int{
		"Users": c.Users, "Chats": c.Chats, "Messages": c.Messages, "Interactions": c.Interactions, "Calls": c.Calls, "Days": c.Days, "Notes": c.Notes,
		"MessagePageSize": c.MessagePageSize, "InteractionPageSize": c.InteractionPageSize, "MaxTop": c.MaxTop,
		"CallPageSize": c.CallPageSize, "SessionPageSize": c.SessionPageSize, "ParticipantPageSize": c.ParticipantPageSize,
		"ChatPageSize": c.ChatPageSize, "ReportPageSize": c.ReportPageSize,
	} {
		if v < 0 {
			return c, fmt.Errorf("graphsim: %s is negative", name)
		}
	}
	c.Users = orDefault(c.Users, DefaultUsers)
	c.Chats = orDefault(c.Chats, DefaultChats)
	c.Messages = orDefault(c.Messages, DefaultMessages)
	c.Interactions = orDefault(c.Interactions, DefaultInteractions)
	c.Calls = orDefault(c.Calls, DefaultCalls)
	c.Days = orDefault(c.Days, DefaultDays)
	c.TokenLifetime = orDefault(c.TokenLifetime, time.Hour)
	c.ReportLinkLifetime = orDefault(c.ReportLinkLifetime, 120*time.Second)
	c.MessagePageSize = orDefault(c.MessagePageSize, 50)
	c.InteractionPageSize = orDefault(c.InteractionPageSize, 10)
	c.MaxTop = orDefault(c.MaxTop, 1000)
	c.CallPageSize = orDefault(c.CallPageSize, 60)
	c.SessionPageSize = orDefault(c.SessionPageSize, 60)
	c.ParticipantPageSize = orDefault(c.ParticipantPageSize, 130)
	c.ChatPageSize = orDefault(c.ChatPageSize, 20)
	c.ReportPageSize = orDefault(c.ReportPageSize, 200)
	if err := c.checkNumbers(); err != nil {
		return c, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.Addr, err = loopbackAddr(c.Addr, "Addr", "127.0.0.1:0"); err != nil {
		return c, err
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return c, fmt.Errorf("graphsim: Addr: %w", err)
	}
	if c.ReportAddr, err = loopbackAddr(c.ReportAddr, "ReportAddr", net.JoinHostPort(host, "0")); err != nil {
		return c, err
	}
	c.Tenants, err = checkTenants(c.Tenants)
	return c, err
}

func checkTenants(tenants []Tenant) ([]Tenant, error) {
	if len(tenants) == 0 {
		tenants = []Tenant{{ID: DemoTenantID, Apps: []App{{ClientID: DemoClientID, Secret: DemoClientSecret}}}}
	}
	seen := map[string]bool{}
	for _, t := range tenants {
		if t.ID == "" || seen[t.ID] {
			return nil, fmt.Errorf("graphsim: Tenants: id %q is empty or there twice", t.ID)
		}
		seen[t.ID] = true
	}
	return tenants, nil
}

func loopbackAddr(addr, name, def string) (string, error) {
	if addr == "" {
		return def, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("graphsim: %s: %w", name, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", fmt.Errorf("graphsim: %s %q is not a loopback address", name, addr)
	}
	return net.JoinHostPort(host, port), nil
}
