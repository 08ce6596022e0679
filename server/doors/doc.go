// Package doors holds what stands before the API whoever calls: which web origins may read answers, which host names a
// loopback listener answers to, and how often one caller may call.
package doors
