// Package summary writes the line that says what a note of Teams or a call record is about, from the detail of the event. Graph sends
// no text for either. All templates are in templates.go. The package knows the messages of the model and nothing of Graph.
package summary
