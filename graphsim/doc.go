// Package graphsim is a strict local stand-in for Microsoft Graph and Microsoft Entra ID, for the APIs that carry
// conversation data: users, chats, chat messages and their export, Copilot interactions, call records and the
// Copilot usage report, each in v1.0 and beta.
//
// It answers as Graph does where Graph is documented or has been observed: paths, page links, page sizes, query
// options, refusals, silences and error bodies. Its records are computed from a seed and an index whenever they are
// asked for, so that millions of them cost no memory; equal configurations on the same day hold equal records.
//
// The data is fictional. The simulator serves tests, demonstrations and benchmarks on loopback only.
package graphsim
