// Package graphmap turns JSON records of Microsoft Graph into messages of parley.v1.
//
// Which property of which Graph type fills which field is not written here but in the contract: the proto options
// (parley.v1.graph) and (parley.v1.graph_member). New compiles them once into a [Table], and everything that the table
// does not know goes, under its own path, to the unmapped Struct, so that nothing of a record is lost.
//
// [Table.Draft] reads a record once, value by value, and decodes no JSON first: package jsonscan finds where values end. A [Draft] is the
// tree of the fields that were filled, with their texts still in the record. Its caller adds the fields of Parley's own, and [Draft.Encode] writes
// protobuf wire bytes without a message in between. The other methods of Table take the same way and decode the bytes into a message. A
// record in which an object repeats a name is first rewritten without the repeats, so that there is one reader.
//
// What becomes of a value:
//
//   - null and empty text are absence; so is 0001-01-01T00:00:00, which Graph writes for a time that is not set.
//   - Annotations (@odata.…, name@odata.…) are dropped, but @odata.type fills fields that are mapped to it, without its
//     namespace.
//   - Numbers in quotes and texts written as numbers are taken where nothing changes. A value of a type that the field
//     cannot hold goes to unmapped as it is; so do malformed times and durations, and numbers out of range.
//   - A number with more digits than an Edm.Single holds fills its field rounded and is in unmapped too. In a Struct,
//     numbers that a double would change are kept as text.
//   - An unknown member of an enumeration fills the field's sibling …_other, or goes to unmapped if there is none.
//   - The display name of an identity that is in truth a Teams address (8:orgid:…) fills mri.
//   - Where two properties fill one field (chatMessageAttachment.id, aiInteractionAttachment.attachmentId) and a record
//     has both, the first one fills it and the other goes to unmapped.
//   - A record may take so much memory: 1 MiB and three times its size. When that is used up, the rest of each list is kept
//     in unmapped as one JSON text in the place of its first element, and the undeclared rest of each object as one under
//     "…". Records that Graph documents are far from it.
//   - Of members with one name the last counts. Invalid UTF-8 and lone surrogates become U+FFFD.
//
// Paths in unmapped are nested objects named after Graph's properties; positions in lists are decimal keys, counted as
// Graph sent them.
package graphmap
