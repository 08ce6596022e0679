// Package quality says how good the audio connection of a call was, by Microsoft's classification of audio streams: Graph sends the figures of each
// stream and no classification.
//
// [Of] reads the sessions and segments of a whole call record. It adds each audio stream to the tally of the call and to those of
// the people at the two ends of its segment; a tally becomes one Quality. The package knows the messages of the model and nothing of Graph.
package quality
