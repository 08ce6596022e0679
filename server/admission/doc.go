// Package admission bounds connections, the requests on them whose callers are not authenticated yet, and how often an authenticated
// caller may begin a call. The places and the memory of calls that run are bounded by package interceptor, and what a call holds until its
// answer is out is a lifetime.Hold.
package admission
