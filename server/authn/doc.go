// Package authn finds out who calls: the subject of an Entra or OIDC access token, the holder of a client certificate, or
// nobody in particular. The interceptor identity asks an Authenticator at the beginning of each call. The Authenticator reads the
// metadata and the TLS state of the connection, and returns a Caller or a *RefusedError; the interceptor recheck asks the Caller again
// before each part of a stream, but for the checkpoint after a batch and the summary. What a caller may read is decided by package authz.
//
// Everything fails closed: a credential that is doubtful in any way is refused, and where both kinds are accepted a bad token
// is never made good by a certificate.
package authn
