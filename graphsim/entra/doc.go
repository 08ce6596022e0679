// Package entra is the simulated Entra ID: its keys, the claims of its tokens, its token endpoint (a Directory authenticates applications
// and exchanges tokens of users), the documents and errors of its endpoints, and the certificate of its listeners. Package graphsim has the
// routes.
package entra
