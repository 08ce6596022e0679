// Package summary writes one line about an event for which Graph sends no text: a note of Teams ([Note]), such as that members joined a
// chat, or a call record ([Call]).
//
// The detail of the event chooses a template and fills in its values. A summary has the English line, the key of the template and the
// values, so that clients can translate it. All templates are in templates.go. The package knows the messages of the model and nothing
// of Graph.
package summary
