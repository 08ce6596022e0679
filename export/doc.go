// Package export writes what happened in a tenant into files of tables: the job that parley-export runs each night.
//
// An [Exporter] reads StreamTenantEvents of a Parley gateway through any trouble, keeps in a state folder how far it has come, and puts
// whole files into a folder or bucket. One that is killed at any moment and begun again ends with the same set of rows.
package export
