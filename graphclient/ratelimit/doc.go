// Package ratelimit decides when a request to Microsoft Graph may be sent: the
// budgets of its published limits and their Retry-After gates
// ([Budgets]), the day of each caller ([Days]), and the pause of routes that
// ask for payment ([Breaker]). Callers take turns ([WithCaller]). It sends
// nothing.
package ratelimit
