// Package redisstore keeps what replicas share in Redis or Valkey: sealed values and leases ([Store]), and the limits of Graph with the days
// of callers ([Pool]). Of a value it knows its name and its bytes, and neither what they mean nor how they are sealed. A heartbeat counts
// the replicas.
//
// Every operation ends within Config.Timeout. After failures in a row the store is left alone for a while, so that a store that is down
// costs nobody the time of a timeout; then one operation tries it again. Who uses the package goes on without the store when an operation
// fails. Times are the store's: scripts ask it for the time, so that the clocks of replicas do not matter.
package redisstore
