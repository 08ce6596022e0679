// Package graphclient is HTTP to Microsoft Graph and nothing about messages:
// credentials and tokens, retries and Retry-After, request budgets, the page
// envelope and its links, typed errors, and the national clouds.
//
// A [Client] belongs to one tenant and application, or to one user of them: it
// holds one credential, one token and one pipeline, so that no token can reach
// another tenant's or user's request. [Delegates] keeps the clients of users;
// they share the budgets of their application.
//
// A request passes these steps, outermost first:
//
//	retry      repeats a GET while tries, deadline and cause allow it
//	identify   client-request-id, User-Agent, Accept-Encoding
//	authorize  the bearer token; one refresh after 401, one claims challenge
//	limit      request budgets and the shared Retry-After gates
//	observe    metrics and a debug log line, both without a path
//	wire       the exact request target, then the caller's http.RoundTripper
//
// What the package promises about privacy: no log line, error text or metric
// holds a path, query, token, body or user; see [Error] and [Observer].
package graphclient
