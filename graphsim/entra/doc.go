// Package entra holds the keys of the simulated Entra ID, the claims of its tokens, and the certificate of its listeners. The endpoints are
// in package graphsim.
package entra
