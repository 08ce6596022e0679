// Package quality judges the line of a call by the sound streams of its record, after Microsoft's classification of streams. Graph sends
// the figures of each stream and no judgement. The package knows the messages of the model and nothing of Graph.
package quality
