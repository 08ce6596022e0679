// Package export writes what happened in a tenant into files of tables: the job that parley-export runs each night.
//
// An [Exporter] reads StreamTenantEvents of a Parley gateway through any trouble, keeps in a state folder how far it has come, and puts
// whole files into a folder or bucket. One that is killed at any moment and begun again ends with the same set of rows.
//
// A run reads in rounds: the first reads every user of the run, and a later one those who are incomplete. A round has legs, each of which is
// one stream: over a selection of users, or over as many ids as a request may name. Frames of a stream go into a journal; from time to
// time files are written from it (flush). When all legs are read, the rest of the files is written, and the manifest published.
package export
