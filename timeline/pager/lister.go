// Package pager answers the calls over chains of pages of Graph: conversations, the usage report, users. Graph's link is the position in a
// chain, so that the tokens of these calls seal it. One answer may go through two chains, such as the usage report and then the directory
// (inactive.go), or through chats and then through conversations that are derived from events (conversationrows.go). EachChat visits a list of chats for
// callers who make no answer of it. Package frame below it divides the rows into pages and frames, and the readers of package source ask
// Graph.
package pager

import (
	"time"

	"github.com/parley-gateway/parley/internal/seal"
)

// Config describes a Lister.
type Config struct {
	// Sealer seals cursors.
	Sealer seal.Sealer
	// MaxPages ends a chain that does not end by itself.
	MaxPages int
	// Heartbeat is the longest time between two checkpoints of a stream.
	Heartbeat time.Duration
	// ListTime bounds a List whose context has no deadline.
	ListTime time.Duration
	// Derive reads the conversations that are derived from events; nil = none are.
	Derive Deriver
}

// Lister answers List and Stream calls. It keeps nothing between calls, and is safe for concurrent use.
type Lister struct{ cfg Config }

// New returns a Lister.
func New(cfg Config) *Lister { return &Lister{cfg: cfg} }
