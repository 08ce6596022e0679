// Package readers caches what the interfaces of package source return. Each decorator has the interface of the reader that it
// decorates, so that the timeline above does not see whether there is a cache; package cache below holds the values. The
// decorators say which query a value answers, how long it may be served, and how large it is. They do not look into pages, but for
// the refresh date of a usage report, the version of a call record, and the rows of which [Decorator.Calls] makes its index.
//
// Every key begins with the kind of the value and the scope: the tenant, the identity that Graph was asked as, and the source.
//
//   - A page is found by its query and link: a chat's own messages, conversations, users, usage. Single chats, names of users,
//     object ids of user principal names, whole call records and verified participants are values of their own.
//   - A window is found by its query ([Windows]). Its value is the timeline's. The pages of its reading are not cached ([Readings]).
//   - The calls of all users in an interval are found by the interval ([Decorator.Calls]), the participants of a call record by id and
//     version. A user's calls come out of them.
//   - An answer is found by the digest of its request, its page size and its token ([Answers]). The timeline makes it of windows.
//
// [Plans] caches no answer. It remembers which users have no plan for Copilot, so that a reading of many users asks about each of them at
// most once a week.
//
// Errors are not cached, but for refusals of a user ([Refusals]), for names that nobody has, and for the answer that a user took no part in a
// call.
//
// Callers of one process that want the same value at the same time are coalesced: they wait for one fetch. Replicas share values through
// the store of package shared: windows ([SharedWindows]), the calls and the users of a tenant, refusals, and look-ups of users. What was read
// on behalf of a user is never shared.
package readers
