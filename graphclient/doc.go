// Package graphclient is HTTP to Microsoft Graph and nothing about messages:
// the client with its pipeline, the page envelope and its links, report
// downloads, and retries.
//
// A [Client] belongs to one tenant and application, or to one user of them: it
// holds one credential, one token and one pipeline, so that no token can reach
// another tenant's or user's request. [Delegates] keeps the clients of users;
// they share the budgets of their application.
//
// Its packages are
//
//	graph      requests, typed errors, clouds, observers: the types that all of them share
//	auth       credentials, tokens, exchanges on behalf of users
//	ratelimit  budgets, Retry-After gates, callers' days, the payment breaker
//	jsonscan   JSON values within a page, without decoding them
//
// A request passes these steps, outermost first:
//
//	payment    refuses a route that asked for payment lately
//	retry      repeats a GET while tries, deadline and cause allow it
//	day        counts a try against the day of its caller
//	identify   client-request-id, User-Agent, Accept-Encoding
//	authorize  the bearer token; one repetition with a new one after 401, or
//	           after 403 with a claims challenge
//	limit      request budgets and the shared Retry-After gates
//	observe    metrics, a debug log line and a span; of the path the span has a template without ids
//	wire       the exact request target, then the caller's http.RoundTripper
//
// What the package promises about privacy: no log line, error text or metric
// holds a path, query, token, body or user; see [graph.Error] and [graph.Observer].
package graphclient
