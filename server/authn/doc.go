// Package authn finds out who asks: the subject of an Entra or OIDC access token, the holder of a client certificate, or
// nobody in particular. It decides nothing about what a caller may read; package authz does.
//
// Everything fails closed: a credential that is doubtful in any way is refused, and where both kinds are accepted a bad token
// is never made good by a certificate.
package authn
