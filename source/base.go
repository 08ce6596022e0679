package source

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/odata"
)

// Graph is the client that sources ask through; *graphclient.Client is one.
type Graph interface {
	// Page asks for one page of a collection.
	Page(ctx context.Context, request graph.Request) (*graphclient.Page, error)
	// Object asks for one entity.
	Object(ctx context.Context, request graph.Request) (*graphclient.Object, error)
	// Download asks for a report as a stream.
	Download(ctx context.Context, request graph.Request) (*graphclient.Download, error)
}

var _ Graph = (*graphclient.Client)(nil)

// Options say how one Graph API of one tenant is asked. The zero value asks v1.0 of the global cloud.
type Options struct {
	// Tenant is the tenant id that uids are digested with.
	Tenant string
	// Version is graph.V1 or graph.Beta; empty means V1.
	Version string
	// Model is sent with getAllMessages when set: A or B.
	Model string
	// Cloud is the cloud's name, as graphclient lists them; empty means the global one.
	Cloud string
	// Table maps Graph's records; nil means the table of this binary's contract, compiled once.
	Table *graphmap.Table
	// Logger receives a line for each fallback; nil means none. It is given no user, filter or content.
	Logger *slog.Logger
}

// contractTable is the mapping table of the linked contract.
var contractTable = sync.OnceValues(graphmap.New)

// base holds the fields that all sources share.
type base struct {
	graph Graph
	opt   Options
	api   API
}

func newBase(client Graph, opt Options, src parleyv1.Source) base {
	if opt.Version == "" {
		opt.Version = graph.V1
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	opt.Tenant = strings.ToLower(opt.Tenant)
	return base{graph: client, opt: opt, api: Describe(src)}
}

func (b *base) table() (*graphmap.Table, error) {
	if b.opt.Table != nil {
		return b.opt.Table, nil
	}
	table, err := contractTable()
	if err != nil {
		return nil, unexpected("the mapping table cannot be compiled", err)
	}
	return table, nil
}

// pageSize is the page size of the API as a query option has it.
func (b *base) pageSize() string { return strconv.Itoa(b.api.PageSize) }

// request begins a request for path, or for link when there is one.
func (b *base) request(ctx context.Context, path, link string, query ...graph.Param) graph.Request {
	r := graph.Request{API: b.api.Label, Version: b.opt.Version, Path: path, Query: query, Link: link}
	if link != "" {
		r.Path, r.Query = "", nil
	}
	switch PriorityOf(ctx) {
	case Patient:
		r.Priority, r.Patience = graph.Background, patience
	case Background:
		r.Priority = graph.Background
	case Interactive:
	}
	return r
}

// logFallback logs that Graph refused one form of a request and another is tried.
func (b *base) logFallback(ctx context.Context, to string, err error) {
	b.opt.Logger.LogAttrs(ctx, slog.LevelDebug, "graph refused a request, trying its fallback",
		slog.String("source", b.api.Label), slog.String("fallback", to), slog.Any("error", err))
}

const (
	preferUnknownEnums = "include-unknown-enum-members"
	preferPageSize     = "odata.maxpagesize="
)

// earliest is the lower bound of an interval that has none: Graph wants both bounds, and nothing it keeps is older.
func earliest() time.Time { return time.Unix(0, 0).UTC() }

// bounds checks the interval of q and gives the absent start its value.
func bounds(q EventQuery) (start, end time.Time, err error) {
	start, end = q.Start, q.End
	if start.IsZero() {
		start = earliest()
	}
	if end.IsZero() || !end.After(start) {
		return start, end, unexpected("the interval of a query has no end or is empty", nil)
	}
	return start, end, nil
}

// RequestBounds returns the bounds that Graph is given for the interval [start, end): whole seconds, and a second wider on both
// sides. Rows between these bounds and the interval are no fault of Graph.
func RequestBounds(start, end time.Time) (from, to time.Time) { return odata.Bounds(start, end) }
