// Package auth logs in to Entra ID: the credentials of applications
// ([NewCredential]), the tokens that they get ([Tokens]) or exchange for those of
// users ([Exchange]), and the step of a pipeline that sends them ([NewAuthorize]).
//
// A token is refreshed early, and the valid one is kept if a refresh fails. Logins
// are shared by all who need them, and go on when a caller leaves.
package auth
