// Package graph holds the types that the packages of graphclient share: the
// request to Microsoft Graph ([Request]), the cloud that it goes to ([Cloud]),
// its error ([Error] with its [Kind]), and the interface for metrics
// ([Observer]). It reads errors off answers, and sends nothing.
package graph
