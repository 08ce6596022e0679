// Package parleyclient reads streams of a Parley gateway through any trouble.
//
// A [Stream] is an iterator over the events of one query. It resumes by itself after cuts, planned ends and throttling, drops events
// that come twice, asks for an access token at each connection, and distinguishes a stream that was read to its end from one that was cut.
//
//	stream := parleyclient.Events(parleyv1.NewEventServiceClient(conn), request, parleyclient.Options{Token: token})
//	for event, err := range stream.All(ctx) {
//		if err != nil {
//			return err // stream.ResumeToken() is where another run goes on
//		}
//		store(event) // by uid
//	}
//	if !stream.Summary().GetComplete() {
//		// Something is missing; the gaps and states of stream.Summary().GetSources() say what.
//	}
//
// [Events] and [Conversations] read what their names say. [New] makes a stream of another method out of two functions.
//
// A channel that reads streams for long should have keepalive on: docs/clients.md has its settings.
package parleyclient
