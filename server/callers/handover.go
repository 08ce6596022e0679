package callers

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"sync"

	"google.golang.org/grpc/metadata"
)

// ticketKey is the metadata key of a ticket. Package rest hands on no request header of this name, and the public gRPC
// listener reads no ticket.
const ticketKey = "parley-handover"

// Handover tells the services behind the REST face which TLS connection a request came over. The REST face reaches them
// over a connection in memory, whose peer is the process itself, so the peer travels beside it: Admit keeps the TLS state
// under a ticket of 128 random bits for the time of one request, the ticket goes along as metadata, and Peer exchanges it
// for the state. A ticket cannot be guessed, is worth nothing after its request or outside the process, and a call on
// the inner server without one is refused: nothing but the REST face reaches the services that way.
type Handover struct {
	mu      sync.Mutex
	tickets map[string]*tls.ConnectionState
}

// NewHandover returns an empty Handover.
func NewHandover() *Handover { return &Handover{tickets: make(map[string]*tls.ConnectionState)} }

type ticketInContext struct{}

// Admit issues a ticket for a request; state is nil for a request without TLS. Call release when the request has been
// answered.
func (h *Handover) Admit(ctx context.Context, state *tls.ConnectionState) (_ context.Context, release func()) {
	ticket := rand.Text()
	h.mu.Lock()
	h.tickets[ticket] = state
	h.mu.Unlock()
	return context.WithValue(ctx, ticketInContext{}, ticket), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.tickets, ticket)
	}
}

// Outgoing is the metadata that carries the ticket of a request's context to the inner server.
func Outgoing(ctx context.Context) metadata.MD {
	ticket, ok := ctx.Value(ticketInContext{}).(string)
	if !ok {
		return nil
	}
	return metadata.Pairs(ticketKey, ticket)
}

// WithoutTicket is the context of a call whose ticket has been exchanged: nothing further in sees it.
func WithoutTicket(ctx context.Context) context.Context {
	md, ok := metadata.FromIncomingContext(ctx)
	if !ok {
		return ctx
	}
	delete(md, ticketKey) // md is a copy
	return metadata.NewIncomingContext(ctx, md)
}

// Peer returns the TLS state of the request behind a call on the inner server; it is a PeerFunc.
func (h *Handover) Peer(ctx context.Context) *tls.ConnectionState {
	state, _ := h.find(ctx)
	return state
}

// Knows says whether a call on the inner server belongs to a request that is being answered.
func (h *Handover) Knows(ctx context.Context) bool {
	_, ok := h.find(ctx)
	return ok
}

func (h *Handover) find(ctx context.Context) (*tls.ConnectionState, bool) {
	sent := metadata.ValueFromIncomingContext(ctx, ticketKey)
	if len(sent) != 1 {
		return nil, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	state, ok := h.tickets[sent[0]]
	return state, ok
}
