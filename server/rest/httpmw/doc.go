// Package httpmw holds the HTTP middlewares before the REST API and its pages: request ids, which web origins may read
// answers (CORS), which host names a loopback listener answers to, and HSTS.
package httpmw
