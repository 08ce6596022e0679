// Package entra holds the keys of the simulated Entra ID, the claims of its tokens, the documents and errors of its endpoints, and the
// certificate of its listeners. Package graphsim has the routes, and decides who gets a token.
package entra
