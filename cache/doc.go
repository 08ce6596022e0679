// Package cache holds pages that Graph has answered in memory and hands them to later readers of the very same request.
// Its decorators have the signatures of the source interfaces; it does not look into pages.
//
// A page is found by tenant, identity, source, query and link. The whole key is compared, never only its hash, so that no
// collision can hand one tenant's page to another. The freshness of a page stands beside it and is checked on every read,
// whatever the store does. A page behind a link counts as fresh only if it was read after the page that carries the link:
// one walk never mixes pages of an older and a newer reading.
//
// There are three layers, outermost first: coalescing (callers who want the same page at the same time share one request),
// two exact LRUs of a quarter of the size each, and ristretto with sizes in resident bytes. The first LRU, on probation,
// holds new pages: ristretto's Set is asynchronous and may be refused, so it alone would miss those. The second one, protected,
// holds pages that were asked for again after they had left the first: ristretto's counts are too lossy to hold them against a
// scan. Errors are never cached, but for refusals of a user ([Refusals]). A lost page only costs another request.
package cache
