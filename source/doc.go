// Package source reads Microsoft Graph APIs and turns their records into the model of parley.v1.
//
// Each API has a file that says how it is asked: [Copilot], [Chat], [RetainedChat], [Call], [Conversations], [Usage] and [Users]. The
// table in api.go has the properties by which other packages treat it: budget, kinds of events, page size, settle time and clouds.
// [HostedContents] downloads the pictures in messages; it is no API of its own in the table.
//
// Its packages are
//
//	odata      the $filter expressions of requests
//	links      where a chain of pages ends
//	graphmap   the table that maps properties of Graph to fields of the model
//	plaintext  the readable text of message bodies and their attachments
//	summary    one line about a note of Teams or a call
//	quality    how good the audio connection of a call was
//
// What becomes of a request and its answer:
//
//   - A query becomes one or several attempts. Graph refuses some filters and orders with 400 or 501; the next attempt asks for less,
//     and the page says in its flags what Graph did not do. The links of a chain are followed byte for byte.
//   - Filters are written by package odata. Bounds are whole seconds, a second wider than the interval on both sides; the timeline trims.
//   - A record becomes an [Item]: a draft of package graphmap, to which this package adds names, digests, the event time and plain text,
//     encoded once as protobuf wire bytes. No message is built on the way.
//   - [Item.Key] and Event.uid are equal for all owners' copies and all versions of one thing. The version grows with every change that
//     Graph tells of.
//   - Event and Conversation read one thing whole. They verify that the user belongs to it: a chat by its members or the user's own path
//     to it, a call by its participants, an interaction by the user's own history.
//
// Above it, package cache/readers caches its pages and package timeline turns them into ordered events; below it, package graphclient sends
// the requests. The package knows nothing of gRPC, caching, windows or callers.
package source
