// Package ratelimit decides when a request to Microsoft Graph may be sent: the
// budgets of its published limits and their Retry-After gates
// ([Budgets]), the day of each caller ([Days]), and the pause of routes that
// ask for payment ([Breaker]). Callers take turns ([WithCaller]). It sends
// nothing.
//
// A budget keeps one published limit for a tenant, a user or a resource. Its
// gate is closed while Graph has asked to wait; when it opens, one request goes
// ahead as a probe. The plan of a request is the budgets that count it, the
// narrowest first. Each gives it a turn; with the turns of all of them and,
// where there is a Pool, a slot of that, the request has a [Turn] and is sent.
// Only then it takes a token of each budget. Headroom is what a background
// request leaves to interactive ones. The share is the fraction of the limits
// that is configured for a process; its part is the fraction that its
// own budgets keep now: all of it while a Pool divides the limits.
//
// Replicas share the limits through a [Pool], and the days of callers through
// a [DayPool]; package redisstore has both. While the pool does not answer, a
// replica goes on by itself with its part. If the package errs, Graph answers
// 429 and every caller of the tenant waits.
package ratelimit
