// Package cache keeps pages that Graph has answered in memory and hands them to later readers of the very same request.
// Its decorators have the signatures of the source interfaces; it does not look into pages.
//
// A page is found by tenant, identity, source, query and link. The whole key is compared, never only its hash, so that no
// collision can hand one tenant's page to another. Freshness is kept beside the value and checked on every read, whatever
// the store does. A page behind a link counts as fresh only if it was read after the page that carried the link: a chain
// is never mixed from an older and a newer reading.
//
// Three layers, outermost first: coalescing (callers who want the same page at the same time share one request), two exact
// LRUs of a quarter of the size each, and ristretto with costs in resident bytes. The first LRU holds what was just fetched:
// ristretto's Set is asynchronous and may be refused, so it alone would miss that. The second one holds what was asked for
// again after it had left the first: ristretto's counts are too lossy to hold that against a scan. Errors are never kept. A lost page only costs
// another request.
package cache
