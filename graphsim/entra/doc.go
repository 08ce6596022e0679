// Package entra is what the simulated Entra ID signs with: keys, the claims of its tokens, and the certificate of its listeners. The endpoints
// are the simulator's.
package entra
