package query

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// Tenant asks for the events of many users.
type Tenant struct {
	// Events is the request for the events of each of them, without Owner and User.
	Events

	// Licensed keeps the users with a licence of Copilot.
	Licensed bool
	// Users are the users by id, in place of the directory's; empty = those of the directory.
	Users []string
	// Shard is the part of the users to read, and Shards how many parts there are; 0 = one.
	Shard, Shards int
	// Plan tells of a user of whom the directory shows no plan for Copilot whether Copilot is asked. It is called when the reading of the user
	// begins or goes on. nil = Copilot is asked about everybody.
	Plan func(id string) source.CopilotPlan
	// Deduplicate sends an event once that several users have.
	Deduplicate bool
}

// HasUser reports whether a user is in the part that is read.
func (r *Tenant) HasUser(id string) bool { return r.Shards <= 1 || ShardOf(id, r.Shards) == r.Shard }

// ShardOf is the part of a user among several: the 64-bit FNV-1a hash of the id in lower case, modulo their number. It never changes.
func ShardOf(id string, shards int) int {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(strings.ToLower(id))) // a hash takes everything
	return int(hash.Sum64() % uint64(shards))
}

// ResolveTenant finds out which sources the request asks for. Its digest binds the tokens of the whole stream.
func (r *Tenant) ResolveTenant(sources Sources) (Resolved, error) {
	requested, err := r.requestedSources(sources)
	if err != nil {
		return Resolved{}, err
	}
	return Resolved{requested, r.tenantDigest(requested)}, nil
}

// Identity is equal for equal requests of one caller about one tenant.
func (r *Tenant) Identity() string {
	digest := r.tenantDigest(slices.Sorted(slices.Values(r.Sources)))
	return string(digest[:])
}

func (r *Tenant) tenantDigest(requested []parleyv1.Source) [sha256.Size]byte {
	digest := r.digest(requested)
	data := appendTexts(digest[:], "tenant", strings.Join(slices.Sorted(slices.Values(r.Users)), "\x00"))
	flags := int64(0)
	if r.Licensed {
		flags |= 1
	}
	if r.Deduplicate {
		flags |= 2
	}
	for _, n := range [...]int64{flags, int64(r.Shard), int64(max(r.Shards, 1))} {
		data = binary.AppendVarint(data, n)
	}
	return sha256.Sum256(data)
}

// OfUser is the request for the events of one user.
func (r *Tenant) OfUser(id string) Events {
	events := r.Events
	events.Owner, events.User = id, id
	return events
}

// HasReadableSource reports whether one of the requested sources is available.
func (r *Tenant) HasReadableSource(requested []parleyv1.Source) bool {
	return slices.ContainsFunc(requested, func(src parleyv1.Source) bool {
		_, unavailable := r.Unavailable[src]
		return !unavailable
	})
}
