// Package ratelimit decides when a request to Microsoft Graph may be sent: the
// budgets of its published limits and their Retry-After gates
// ([Budgets]), the day of each caller ([Days]), and the pause of routes that
// ask for payment ([Breaker]). Callers take turns ([WithCaller]). It sends
// nothing.
//
// Replicas share the limits through a [Pool], and the days of callers through
// a [DayPool]; package redisstore has both. While the pool does not answer, a
// replica goes on by itself with its part. If the package errs, Graph answers
// 429 and every caller of the tenant waits.
package ratelimit
