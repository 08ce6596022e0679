// Package cache holds values by key in memory, each with its size, its age and the time until which it may be served. It knows
// nothing of the values: package readers above it caches answers of Graph, and the timeline caches windows and whole answers
// through it. Below it are the bounded maps of internal/lru and the coalesced calls of internal/coalesce; package shared keeps values in a
// store that replicas share.
//
// Get looks a value up or fetches it. The whole key is compared, never only its hash, so that no collision can hand one tenant's
// page to another. The freshness of a value is part of its entry and is checked on every look-up, whatever the store does. A page
// behind a link counts as fresh only if it was read after the page that carries the link: a chain never mixes pages of an older and
// a newer reading.
//
// A look-up goes through three layers: two exact LRUs of half of the size together, ristretto with sizes in resident bytes, and, for what
// neither has, coalescing: callers who want the same value at the same time share one fetch. The first LRU, on probation,
// holds new values: ristretto's Set is asynchronous and may be refused, so it alone would miss those. The second one, protected,
// holds values that were read more than once in the first or were asked for after they had left it: ristretto's counts are too lossy to
// hold them against a scan, and it does not see the reads that the LRUs answer. Errors are never cached. A lost value only costs another fetch.
package cache
