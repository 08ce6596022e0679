// Package cache holds answers of Graph in memory and hands them to later readers of the very same request. Its decorators have
// the signatures of the source interfaces. It does not look into pages, but for the refresh date of a usage report.
//
// Every key begins with the kind of the value, the tenant, the identity that Graph was asked as, and the source:
//
//   - A page is found by its query and link: a chat's own messages, conversations, users, usage. Single chats, object ids of
//     user principal names, whole call records and verified participants are cached as pages of one item.
//   - A window is found by its query ([Windows]). Its value is the timeline's. The pages of its reading are not cached ([Readings]).
//   - An answer is found by the digest of its request, its page size and its token ([Answers]). The timeline makes it of windows.
//
// The whole key is compared, never only its hash, so that no collision can hand one tenant's page to another. The freshness of
// a page is part of its entry and is checked on every look-up, whatever the store does. A page behind a link counts as fresh only if it
// was read after the page that carries the link: a chain never mixes pages of an older and a newer reading.
//
// There are three layers, outermost first: coalescing (callers who want the same page at the same time share one request),
// two exact LRUs of a quarter of the size each, and ristretto with sizes in resident bytes. The first LRU, on probation,
// holds new pages: ristretto's Set is asynchronous and may be refused, so it alone would miss those. The second one, protected,
// holds pages that were asked for again after they had left the first: ristretto's counts are too lossy to hold them against a
// scan. Errors are never cached, but for refusals of a user ([Refusals]). A lost page only costs another request.
package cache
