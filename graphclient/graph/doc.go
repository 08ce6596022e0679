// Package graph holds the words that the rooms of graphclient share: what is
// asked of Microsoft Graph ([Request]), where ([Cloud]), what comes of it when
// it fails ([Error] and its [Kind]), and who is told ([Observer]). It reads
// errors off answers, and sends nothing.
package graph
