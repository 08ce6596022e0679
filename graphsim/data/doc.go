// Package data computes the records of a simulated tenant: people, chats, messages, Copilot interactions and calls.
//
// A World holds who is in which chat. Every other record is a pure function of the seed and an index, computed whenever it is asked for,
// so that millions of records cost no memory. The Render methods return a record as an Object: JSON whose members keep the order in which
// Graph writes them. A View says for which version of the API and which reader.
package data
